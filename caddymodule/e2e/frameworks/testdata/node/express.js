// Express with the parsers that are usual before it.
'use strict';

const express = require('express');
const methodOverride = require('method-override');
const multer = require('multer');
const {answer, file} = require('./answer');

// app returns an Express application with parsers before its one route.
function app(queryParser, ...parsers) {
  const app = express();
  app.set('query parser', queryParser);
  app.use(methodOverride('X-HTTP-Method-Override'), methodOverride('X-HTTP-Method'), methodOverride('_method'));
  app.use(...parsers);
  app.use(methodOverride((req) => req.body?._method));
  app.use((req, res) => reply(req, res));
  app.use((error, req, res, next) => reply(req, res)); // eslint-disable-line no-unused-vars -- Express counts them
  return (socket) => app.listen(socket);
}

function reply(req, res) {
  const files = (req.files ?? []).map((f) => file(f.fieldname, f.originalname, f.mimetype, f.buffer));
  res.type('json').send(answer(req, {query: req.query, body: req.body, files}));
}

const json = ['application/json', '+json'];
const limit = '20mb';

module.exports = {
  // The old defaults, with which most applications run: qs for query and body.
  'express-qs': app(
    'extended',
    express.json({strict: false, type: json, limit}),
    express.urlencoded({extended: true, limit}),
    express.text({type: 'text/*', limit}),
    multer({storage: multer.memoryStorage()}).any(),
  ),
  // The defaults of Express 5.
  'express-simple': app(
    'simple',
    express.json({limit}),
    express.urlencoded({extended: false, limit}),
    multer({storage: multer.memoryStorage()}).any(),
  ),
  // Whatever the type says, it is JSON; or, with the other, a form.
  'express-any-json': app('extended', express.json({strict: false, type: () => true, limit})),
  'express-any-form': app('extended', express.urlencoded({extended: true, type: () => true, limit})),
};
