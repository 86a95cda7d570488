// What an upstream answers: everything that it believes it received.
'use strict';

// answer returns the JSON of a request. believed maps a source of the
// framework's (query, body, files, …) to what it holds.
function answer(req, believed) {
  return JSON.stringify({method: req.method, path: req.url.split('?')[0], believed});
}

// file describes an uploaded file, whose content is a Buffer.
function file(field, filename, type, content) {
  return {field, filename, type, content: content.toString('base64')};
}

module.exports = {answer, file};
