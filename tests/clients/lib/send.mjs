// Sending extrinsics with polkadot.js, and what became of them.

/** Signs, submits, waits for finality: {events, error: 'pallet.Name' | undefined, hash, fee}. */
export function send(api, call, signer, nonce = -1) {
  return new Promise((resolve, reject) => {
    call
      .signAndSend(signer, { nonce }, ({ status, events, dispatchError, internalError }) => {
        if (internalError) return reject(internalError);
        if (status.isInvalid || status.isDropped || status.isUsurped) return reject(new Error(status.type));
        if (!status.isFinalized) return;
        let error;
        if (dispatchError?.isModule) {
          const { section, name } = api.registry.findMetaError(dispatchError.asModule);
          error = `${section}.${name}`;
        } else if (dispatchError) {
          error = dispatchError.toString();
        }
        const records = events.map(({ event }) => event);
        const fee = find(records, 'transactionPayment', 'TransactionFeePaid')?.data.actualFee.toBigInt();
        resolve({ error, hash: status.asFinalized, events: records, fee });
      })
      .catch(reject);
  });
}

/** The first event of this name. */
export const find = (events, section, method) =>
  events.find((event) => event.section === section && event.method === method);

/** Free balance of an account at a block. */
export const free = async (api, address, hash) =>
  (await (await api.at(hash)).query.system.account(address)).data.free.toBigInt();
