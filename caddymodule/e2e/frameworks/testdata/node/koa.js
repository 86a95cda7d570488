// Koa with its two usual parsers of bodies.
'use strict';

const fs = require('node:fs');
const Koa = require('koa');
const {koaBody} = require('koa-body');
const {bodyParser} = require('@koa/bodyparser');
const {answer, file} = require('./answer');

function app(parser) {
  const app = new Koa();
  app.use(async (ctx, next) => {
    await next().catch(() => {});
    const files = Object.entries(ctx.request.files ?? {}).flatMap(([field, list]) =>
      [list].flat().map((f) => file(field, f.originalFilename, f.mimetype, read(f.filepath))));
    ctx.status = 200;
    ctx.type = 'json';
    ctx.body = answer(ctx.req, {query: ctx.query, body: ctx.request.body, files});
  });
  app.use(parser);
  app.silent = true;
  return (socket) => app.listen(socket);
}

// read takes what was spooled, once.
function read(path) {
  const content = fs.readFileSync(path);
  fs.unlinkSync(path);
  return content;
}

const methods = ['POST', 'PUT', 'PATCH', 'GET', 'DELETE', 'HEAD'];
const limit = '20mb';

module.exports = {
  'koa-body': app(koaBody({
    multipart: true, jsonStrict: false, parsedMethods: methods, jsonLimit: limit, formLimit: limit,
  })),
  'koa-bodyparser': app(bodyParser({
    enableTypes: ['json', 'form', 'text'], jsonStrict: false, parsedMethods: methods, jsonLimit: limit, formLimit: limit,
  })),
};
