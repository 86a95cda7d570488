// Fastify with its parsers of forms.
'use strict';

const fastify = require('fastify');
const qs = require('qs');
const {answer, file} = require('./answer');

// app returns a Fastify application that reads forms and queries with parse.
function app(parse) {
  const options = {bodyLimit: 20 << 20};
  if (parse) options.routerOptions = {querystringParser: parse};
  const app = fastify(options);
  app.register(require('@fastify/formbody'), parse && {parser: parse});
  app.register(require('@fastify/multipart'), {limits: {fileSize: 20 << 20}});
  const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
  const handler = async (request, reply) => {
    const believed = {query: request.query, body: request.body};
    if (request.isMultipart()) Object.assign(believed, await parts(request));
    reply.type('application/json').send(answer(request.raw, believed));
  };
  app.route({method: methods, url: '/*', handler});
  app.setErrorHandler((error, request, reply) => {
    reply.code(200).type('application/json').send(answer(request.raw, {query: request.query, body: request.body}));
  });
  return (socket) => app.listen({path: socket});
}

async function parts(request) {
  const fields = Object.create(null), files = [];
  try {
    for await (const part of request.parts()) {
      if (part.type === 'file') files.push(file(part.fieldname, part.filename, part.mimetype, await part.toBuffer()));
      else (fields[part.fieldname] ??= []).push(part.value);
    }
  } catch {
    // What came before the fault was believed.
  }
  return {fields, files};
}

module.exports = {
  'fastify': app(undefined),
  'fastify-qs': app((text) => qs.parse(text)),
};
