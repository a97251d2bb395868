import { expect, it } from 'vitest';
import { startChild } from './child.js';
import { freePort } from './free-port.js';
import { untilReady } from './temporal-ready.js';

it('a server that ends while it starts is reported at once, with what it printed', async () => {
  const server = startChild(['sh', '-c', 'echo "address already in use"; exit 1']);
  const address = `127.0.0.1:${await freePort()}`;
  await expect(untilReady('the server', server, address, { register: false })).rejects.toThrow(
    'the server ended while it started:\naddress already in use',
  );
});
