// Sending extrinsics with polkadot.js, and what became of them.

/** Blocks in which a transaction that the pool gave up may still turn up. */
const LATER = 10;

/** What became of a transaction in a block. */
function outcome(api, hash, events, dispatchError) {
  let error;
  if (dispatchError?.isModule) {
    const { section, name } = api.registry.findMetaError(dispatchError.asModule);
    error = `${section}.${name}`;
  } else if (dispatchError) {
    error = dispatchError.toString();
  }
  const fee = find(events, 'transactionPayment', 'TransactionFeePaid')?.data.actualFee.toBigInt();
  return { error, hash, events, fee };
}

/** The same for one that a pool called invalid: when blocks are replaced by others, it may do so of a
 * transaction that a block already holds. Looks for it in the blocks that become final. */
async function searched(api, transaction, why) {
  const wanted = transaction.hash.toHex();
  const newest = (await api.rpc.chain.getHeader()).number.toNumber();
  for (let number = newest - LATER; number <= newest + LATER; number++) {
    const hash = await finalised(api, number);
    const { block } = await api.rpc.chain.getBlock(hash);
    const index = block.extrinsics.findIndex((extrinsic) => extrinsic.hash.toHex() === wanted);
    if (index < 0) continue;
    const records = await (await api.at(hash)).query.system.events();
    const ours = records.filter(({ phase }) => phase.isApplyExtrinsic && phase.asApplyExtrinsic.eqn(index));
    const events = ours.map(({ event }) => event);
    return outcome(api, hash, events, find(events, 'system', 'ExtrinsicFailed')?.data.dispatchError);
  }
  throw new Error(why);
}

/** The hash of a block once it is final. */
function finalised(api, number) {
  return new Promise((resolve, reject) => {
    let stop;
    let done = false;
    api.rpc.chain
      .subscribeFinalizedHeads((head) => {
        if (done || head.number.toNumber() < number) return;
        done = true;
        stop?.();
        api.rpc.chain.getBlockHash(Math.max(number, 0)).then(resolve, reject);
      })
      .then((unsubscribe) => {
        stop = unsubscribe;
        if (done) unsubscribe();
      })
      .catch(reject);
  });
}

/** Signs, submits, waits for finality: {events, error: 'pallet.Name' | undefined, hash, fee}. */
export async function send(api, call, signer, nonce = -1) {
  const signed = await call.signAsync(signer, { nonce });
  return new Promise((resolve, reject) => {
    signed
      .send(({ status, events, dispatchError, internalError }) => {
        if (internalError) return reject(internalError);
        if (status.isUsurped) return reject(new Error(status.type));
        if (status.isInvalid || status.isDropped) return searched(api, signed, status.type).then(resolve, reject);
        if (!status.isFinalized) return;
        const records = events.map(({ event }) => event);
        resolve(outcome(api, status.asFinalized, records, dispatchError));
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
