// node:http with the parsers that stand on their own.
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const {parse} = require('node:querystring');
const busboy = require('busboy');
const {formidable} = require('formidable');
const {answer, file} = require('./answer');

// server answers with what read(req) resolves to.
function server(read) {
  return (socket) => http.createServer(async (req, res) => {
    const query = parse(req.url.split('?')[1] ?? '');
    const body = await read(req).catch(() => ({}));
    res.setHeader('Content-Type', 'application/json');
    res.end(answer(req, {query, ...body}));
  }).listen(socket);
}

// withBusboy collects the events of busboy, up to a fault.
function withBusboy(req) {
  return new Promise((resolve) => {
    const fields = Object.create(null), files = [];
    const done = () => resolve({fields, files});
    let parser;
    try {
      parser = busboy({headers: req.headers, preservePath: true, defParamCharset: 'utf8'});
    } catch {
      req.resume();
      return done();
    }
    parser.on('field', (name, value) => (fields[name] ??= []).push(value));
    parser.on('file', (name, stream, info) => {
      const chunks = [];
      stream.on('data', (chunk) => chunks.push(chunk)).on('error', () => {});
      stream.on('close', () => files.push(file(name, info.filename, info.mimeType, Buffer.concat(chunks))));
    });
    parser.on('close', done).on('error', done);
    req.on('error', done).pipe(parser);
  });
}

async function withFormidable(req) {
  const form = formidable({allowEmptyFiles: true, minFileSize: 0, maxFileSize: 20 << 20});
  const [fields, files] = await form.parse(req);
  return {fields, files: Object.entries(files).flatMap(([field, list]) => list.map((f) => {
    const content = fs.readFileSync(f.filepath);
    fs.unlinkSync(f.filepath);
    return file(field, f.originalFilename, f.mimetype, content);
  }))};
}

module.exports = {busboy: server(withBusboy), formidable: server(withFormidable)};
