// Signs and submits one call, waits until it is final, prints its events.
//
//   node tests/clients/submit.mjs SECRET PALLET.CALL [ARGUMENT..]
//
// `sudo:PALLET.CALL` has the administrator of a test network make the call.
// Arguments are JSON where they parse as such (numbers, true, {"Id": ..}), text otherwise. The node
// is HIPPIUS_WS, by default ws://127.0.0.1:9944. Exits with 1 if the call fails.

import { ApiPromise, WsProvider } from '@polkadot/api';
import { Keyring } from '@polkadot/keyring';

const [secret, path, ...rest] = process.argv.slice(2);
if (!path?.includes('.')) {
  console.error('usage: node submit.mjs SECRET PALLET.CALL [ARGUMENT..], e.g. //Dave balances.transferKeepAlive 5Grw.. 1000');
  process.exit(2);
}

/** Numbers beyond 2^53 and everything that is no JSON stay text, which polkadot.js takes as well. */
function argument(text) {
  if (/^\d+$/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function main() {
  const provider = new WsProvider(process.env.HIPPIUS_WS ?? 'ws://127.0.0.1:9944');
  const api = await ApiPromise.create({ provider, noInitWarn: true, throwOnConnect: true });
  try {
    const asRoot = path.startsWith('sudo:');
    const [pallet, name] = path.replace(/^sudo:/, '').split('.');
    const call = api.tx[pallet]?.[name];
    if (!call) throw new Error(`there is no call ${path}; calls are named as in balances.transferKeepAlive`);
    const signer = new Keyring({ type: 'sr25519' }).addFromUri(secret);
    await new Promise((resolve, reject) => {
      const made = call(...rest.map(argument));
      (asRoot ? api.tx.sudo.sudo(made) : made)
        .signAndSend(signer, ({ status, events, dispatchError, internalError }) => {
          if (internalError) return reject(internalError);
          if (status.isInvalid || status.isDropped || status.isUsurped) return reject(new Error(status.type));
          if (!status.isFinalized) return;
          for (const { event } of events) console.log(`${event.section}.${event.method}`, JSON.stringify(event.data.toHuman()));
          const asked = events.find(({ event }) => event.section === 'sudo' && event.method === 'Sudid');
          const result = asked?.event.data.sudoResult;
          const failed = dispatchError ?? (result?.isErr ? result.asErr : undefined);
          if (!failed) return resolve();
          if (!failed.isModule) return reject(new Error(failed.toString()));
          const { section, name, docs } = api.registry.findMetaError(failed.asModule);
          reject(new Error(`${section}.${name}: ${docs.join(' ')}`));
        })
        .catch(reject);
    });
  } finally {
    await api.disconnect();
  }
}

main().catch((error) => {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
});
