// Listens for every Node framework on a socket of its own, named after it, in
// the directory given.
'use strict';

const path = require('node:path');

const listeners = {...require('./express'), ...require('./fastify'), ...require('./koa'), ...require('./plain')};

for (const [name, listen] of Object.entries(listeners)) {
  listen(path.join(process.argv[2], `${name}.sock`));
}
