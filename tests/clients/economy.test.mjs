// The life of a buyer, of a miner that serves its order, and of a nominator, with polkadot.js against a
// running local network; every balance to the rao. Prices are set by the test network's administrator.

import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ApiPromise, WsProvider } from '@polkadot/api';
import { Keyring } from '@polkadot/keyring';
import { blake3 } from '@noble/hashes/blake3';
import { stringToU8a, u8aConcat, u8aToHex } from '@polkadot/util';
import { cryptoWaitReady, mnemonicGenerate, randomAsHex } from '@polkadot/util-crypto';
import { ALPHA, endpoint } from './lib/hippius.mjs';
import { tool } from './lib/tool.mjs';
import { find, free as freeAt, send as sendTo } from './lib/send.mjs';

/** Credits per alpha: $10. So a credit is worth 100 rao. */
const ALPHA_PRICE = 10_000_000n;
const RAO_PER_CREDIT = ALPHA / ALPHA_PRICE;
/** Credits per GB-hour of S3 volumes: $10. */
const S3_PRICE = 10_000_000n << 32n;
const S3 = { service: 'S3', usage: 'Held' };
const UNITS = 1_000_000_000n;
/** An era is 20 blocks of 6 seconds here; this only guards against waiting for ever. */
const PATIENCE = 400_000;

/** @type {ApiPromise} */
let api;
let alice, eve, ferdie, family, second, buyer, stroller;
let genesis;
/** What the tests hand on. */
let order, node, accepted, stroll;

const send = (call, signer, nonce) => sendTo(api, call, signer, nonce);
const free = (who, hash) => freeAt(api, who.address ?? who, hash);
const parentOf = async (hash) => (await api.rpc.chain.getHeader(hash)).parentHash;
const numberOf = async (hash) => (await api.rpc.chain.getHeader(hash)).number.toNumber();
const eventsOf = async (hash) => (await (await api.at(hash)).query.system.events()).map(({ event }) => event);

before(async () => {
  await cryptoWaitReady();
  api = await ApiPromise.create({ provider: new WsProvider(endpoint()), noInitWarn: true, throwOnConnect: true });
  const keyring = new Keyring({ type: 'sr25519' });
  const names = ['//Alice', '//Eve', '//Ferdie', '//Family01', '//Family02'];
  [alice, eve, ferdie, family, second] = names.map((uri) => keyring.addFromUri(uri));
  buyer = keyring.addFromUri(mnemonicGenerate());
  stroller = { suri: mnemonicGenerate() };
  Object.assign(stroller, { pair: keyring.addFromUri(stroller.suri) });
  genesis = api.genesisHash.toHex();
});

after(() => api?.disconnect());

/** Submits calls of one account side by side, in this order; finality is waited for once. */
async function sendAll(calls, signer) {
  const nonce = (await api.rpc.system.accountNextIndex(signer.address)).toNumber();
  return Promise.all(calls.map((call, i) => send(call, signer, nonce + i)));
}

/** Fees that an account paid in a block. */
const fees = (who, events) =>
  events
    .filter(({ section, method, data }) => section === 'transactionPayment' && method === 'TransactionFeePaid' && data.who.toString() === who.address)
    .reduce((sum, { data }) => sum + data.actualFee.toBigInt(), 0n);

/** By how much an account's free balance grew in a block, its fees not counted. */
async function gained(who, hash) {
  const [now, before] = [await free(who, hash), await free(who, await parentOf(hash))];
  return now - before + (who.address ? fees(who, await eventsOf(hash)) : 0n);
}

/** Resolves with the first finalised block, from now on, for which `wanted` gives something. */
async function until(what, wanted) {
  return new Promise((resolve, reject) => {
    let stop = () => {};
    const guard = setTimeout(() => finish(reject, new Error(`waited ${PATIENCE / 1000} s for ${what}`)), PATIENCE);
    let done = false;
    function finish(settle, value) {
      if (done) return;
      done = true;
      clearTimeout(guard);
      stop();
      settle(value);
    }
    let turn = Promise.resolve();
    api.rpc.chain
      .subscribeFinalizedHeads((head) => {
        turn = turn
          .then(async () => {
            const found = done ? undefined : await wanted(head.hash, head.number.toNumber());
            if (found) finish(resolve, found);
          })
          .catch((error) => finish(reject, error));
      })
      .then((unsubscribe) => {
        stop = unsubscribe;
        if (done) unsubscribe();
      })
      .catch((error) => finish(reject, error));
  });
}

/** Rao that were charged, to anybody, in a block. */
const charged = (events) =>
  events
    .filter((event) => event.section === 'marketplace' && event.method === 'Charged')
    .reduce((sum, { data }) => sum + data.alpha.toBigInt(), 0n);

/** The accounts of escrow and float, as the pallet derives them: `modl`, its id, what it is for. */
const pots = () => {
  const id = api.consts.marketplace.palletId.toU8a();
  const account = (name) =>
    api
      .createType('AccountId', u8aConcat(stringToU8a('modl'), id, stringToU8a(name), new Uint8Array(32)).subarray(0, 32))
      .toString();
  return { escrow: account(''), float: account('float') };
};

test('the administrator tells prices, a buyer gets alpha', async () => {
  const now = (await api.rpc.chain.getHeader()).number.toNumber();
  const prices = api.tx.utility.batchAll([
    api.tx.marketplace.forceAlphaPrice(ALPHA_PRICE),
    api.tx.marketplace.setPrice(S3, S3_PRICE, now + 6),
  ]);
  const gift = api.tx.balances.transferKeepAlive(buyer.address, 100n * ALPHA);
  const another = api.tx.balances.transferKeepAlive(stroller.pair.address, 10n * ALPHA);
  const [told, given] = await sendAll([api.tx.sudo.sudo(prices), gift, another], alice);
  assert.equal(told.error, undefined);
  assert.ok(find(told.events, 'sudo', 'Sudid').data.sudoResult.isOk);
  assert.equal(find(told.events, 'marketplace', 'AlphaPriceSet').data.price.toBigInt(), ALPHA_PRICE);
  assert.equal(await free(buyer, given.hash), 100n * ALPHA);
});

test('a deposit moves exactly its alpha into escrow and gives the credits it is worth', async () => {
  const { escrow } = pots();
  const alpha = 10n * ALPHA;
  const least = 10n * ALPHA_PRICE;
  const [dear, { error, events, hash }] = await sendAll(
    [api.tx.marketplace.deposit(alpha, least + 1n), api.tx.marketplace.deposit(alpha, least)],
    buyer,
  );
  assert.equal(dear.error, 'marketplace.PriceMoved');
  assert.equal(error, undefined);
  assert.equal(find(events, 'marketplace', 'Deposited').data.credits.toBigInt(), least);
  assert.equal(await gained(buyer, hash), -alpha);
  assert.equal(await gained(escrow, hash), alpha - charged(await eventsOf(hash)));
  const account = (await (await api.at(hash)).query.marketplace.accounts(buyer.address)).unwrap();
  assert.equal(account.batches[0].credits.toBigInt(), least);
  assert.equal(account.batches[0].alpha.toBigInt(), alpha);
});

/** A voucher's payload, signed by some of the payment service's keys. */
const signedBy = (keys, type, fields) => {
  const voucher = api.createType(type, fields);
  const payload = u8aConcat(stringToU8a('hippius/credit-voucher/v1'), blake3(voucher.toU8a()));
  return { voucher, signatures: keys.map((key) => [key.publicKey, key.sign(payload)]) };
};

/** The first node of a family. */
async function nodeOf(family) {
  const nodes = await api.query.registry.nodes.entries();
  const mine = nodes.find(([, info]) => info.unwrap().family.toString() === family.address);
  assert.ok(mine, 'the family has a node');
  return mine[0].args[0].toNumber();
}

/** The node that an order is given to by lot. */
const lot = (id) =>
  until('the lot', async (hash) => {
    const found = (await (await api.at(hash)).query.orders.orders(id)).unwrap();
    return found.state.isAssigned && found.state.asAssigned.node.toNumber();
  });

/** A buyer's life by the command line; only the miner's part is polkadot.js. Pins cost nothing here. */
async function strolls() {
  const arion = (...args) => tool('arion', args, { ARION_CHAIN: endpoint(), ARION_SURI: stroller.suri });
  const keys = new Keyring({ type: 'ed25519' });
  const fields = {
    genesis,
    payment: randomAsHex(32),
    user: stroller.pair.address,
    credits: 2_000_000,
    expires: Date.now() + 3_600_000,
  };
  const type = api.tx.marketplace.redeem.meta.args[0].type.toString();
  const { signatures } = signedBy(
    ['//Alice', '//Charlie'].map((uri) => keys.addFromUri(uri)),
    type,
    { ...fields, source: 'Tao', user: u8aToHex(stroller.pair.publicKey) },
  );
  const voucher = {
    ...fields,
    source: 'tao',
    signatures: signatures.map(([key, signature]) => ({ key: u8aToHex(key), signature: u8aToHex(signature) })),
  };
  const redeemed = await arion('credits', 'redeem', await tool.file('voucher.json', JSON.stringify(voucher)));
  assert.deepEqual(redeemed, { account: stroller.pair.address, credits: 2_000_000 });
  const repaid = await arion('credits', 'repay');
  assert.equal(repaid.code, 6);
  assert.match(repaid.stderr, /nothing_owed/);

  const server = await nodeOf(second);
  const [offered, requested] = await Promise.all([
    send(api.tx.orders.offer(server, 'Ipfs', UNITS), second),
    arion('orders', 'request', 'ipfs', '--units', '500MB', '--days', '0.02', '--spec', 'bafy'),
  ]);
  assert.equal(offered.error, undefined);
  assert.deepEqual([requested.state, requested.spec, requested.units], ['requested', 'bafy', 500_000_000]);
  const id = requested.id;
  assert.equal(await lot(id), server);
  assert.equal((await send(api.tx.orders.accept(id), second)).error, undefined);
  const shown = await arion('orders', 'show', `${id}`);
  assert.deepEqual([shown.state, shown.node], ['running', server]);
  assert.equal((await arion('orders', 'stop', `${id}`)).state, 'stopped');
  assert.match((await arion('orders', 'stop', `${id}`)).stderr, /nothing_changes/);
  assert.equal((await arion('orders', 'start', `${id}`)).state, 'running');
  const renewed = await arion('orders', 'renew', `${id}`, '--days', '0.01');
  assert.equal(renewed.until, shown.until + 144);
  assert.equal((await arion('orders', 'cancel', `${id}`)).state, 'ended');
  assert.deepEqual((await arion('orders', 'list')).orders, []);
  assert.equal((await send(api.tx.orders.offer(server, 'Ipfs', 0), second)).error, undefined);
}

test('a voucher counts once; every wrong one is refused by name and mints nothing', async () => {
  const keys = new Keyring({ type: 'ed25519' });
  const [first, second, stranger] = ['//Alice', '//Bob', '//Dave'].map((uri) => keys.addFromUri(uri));
  const type = api.tx.marketplace.redeem.meta.args[0].type.toString();
  const base = {
    genesis,
    source: 'Tao',
    payment: randomAsHex(32),
    user: u8aToHex(buyer.publicKey),
    credits: 1_000_000,
    expires: Date.now() + 3_600_000,
  };
  const redeem = (changes, signers = [first, second]) => {
    const { voucher, signatures } = signedBy(signers, type, { ...base, ...changes });
    return api.tx.marketplace.redeem(voucher, signatures);
  };
  const { float } = pots();
  const other = () => ({ payment: randomAsHex(32) });
  const bad = [
    [redeem({}), 'VoucherReplayed'],
    [redeem({ credits: 999_999 }), 'PaymentUsed'],
    [redeem({ ...other(), genesis: `0x${'11'.repeat(32)}` }), 'WrongGenesis'],
    [redeem({ ...other(), expires: 1 }), 'VoucherExpired'],
    [redeem({ ...other(), credits: 6_000_000_000 }), 'UserCap'],
    [redeem(other(), [first]), 'TooFewSignatures'],
    [redeem(other(), [first, first]), 'DuplicateKey'],
    [redeem(other(), [first, stranger]), 'UnknownKey'],
  ];
  const [good, ...results] = await sendAll([redeem({}), ...bad.map(([call]) => call)], buyer);
  assert.equal(good.error, undefined);
  const { data } = find(good.events, 'marketplace', 'VoucherRedeemed');
  assert.equal(data.alpha.toBigInt(), 1_000_000n * RAO_PER_CREDIT);
  assert.equal(await gained(float, good.hash), -data.alpha.toBigInt());
  assert.equal(await gained(buyer, good.hash), 0n);
  results.forEach(({ error }, i) => assert.equal(error, `marketplace.${bad[i][1]}`));
  const head = await api.rpc.chain.getFinalizedHead();
  const account = (await (await api.at(head)).query.marketplace.accounts(buyer.address)).unwrap();
  const credits = account.batches.reduce((sum, batch) => sum + batch.credits.toBigInt(), 0n);
  assert.equal(credits, 10n * ALPHA_PRICE + 1_000_000n);
});

test('a gateway is authorised within limits, and no longer', async () => {
  const grant = { units: 5_000_000_000, credits: 7, until: 4_000_000_000 };
  const { authorizeGateway, revokeGateway } = api.tx.marketplace;
  const [given, taken, again] = await sendAll(
    [authorizeGateway(ferdie.address, grant), revokeGateway(ferdie.address), revokeGateway(ferdie.address)],
    buyer,
  );
  const { data } = find(given.events, 'marketplace', 'GatewayAuthorised');
  assert.equal(data.gateway.toString(), ferdie.address);
  assert.equal(data.grant.units.toNumber(), grant.units);
  assert.equal(taken.error, undefined);
  assert.equal(again.error, 'marketplace.NotAuthorised');
});

test('a buyer orders a volume, a miner accepts it', async () => {
  // Beside all that follows; the last test waits for it.
  stroll = strolls().then(() => undefined, (error) => error);
  node = await nodeOf(family);
  const request = { service: 'S3', spec: 'bucket', units: UNITS, idleUnits: UNITS / 10n, term: 300 };
  const [offered, requested] = await Promise.all([
    send(api.tx.orders.offer(node, 'S3', 2n * UNITS), family),
    send(api.tx.orders.request(request), buyer),
  ]);
  assert.equal(offered.error, undefined);
  assert.equal(requested.error, undefined);
  order = find(requested.events, 'orders', 'Requested').data.id;
  const given = await lot(order);
  assert.equal(given, node);
  const [stolen, taken] = await Promise.all([buyer, family].map((who) => send(api.tx.orders.accept(order), who)));
  assert.ok(['orders.NotYourNode', 'orders.NotAssigned'].includes(stolen.error), stolen.error);
  assert.equal(taken.error, undefined);
  accepted = taken;
  assert.ok(find(accepted.events, 'orders', 'Accepted'));
});

test('its charges are split 60/30/10, the miner gets its part and withdraws it', async () => {
  const first = await numberOf(accepted.hash);
  let next = first;
  let miners = 0n;
  let buyers = 0n;
  let frozen;
  let credited = 0n;
  await until('the era of the order to be paid', async (_, newest) => {
    for (; next <= newest; next++) {
      for (const { section, method, data } of await eventsOf(await api.rpc.chain.getBlockHash(next))) {
        const of = data.pool && data.pool.service.isS3 && data.pool.usage.isHeld;
        if (section === 'rewards' && method === 'RevenueSplit' && of) {
          const [amount, toMiners, toValidators, toTreasury] = [
            data.amount,
            data.miners,
            data.validators,
            data.treasury,
          ].map((part) => part.toBigInt());
          assert.equal(toMiners, (amount * 6n) / 10n);
          assert.equal(toValidators, (amount * 3n) / 10n);
          assert.equal(toTreasury, amount - toMiners - toValidators);
          miners += toMiners;
        }
        if (section === 'marketplace' && method === 'Charged' && of && data.who.toString() === buyer.address) {
          assert.equal(data.alpha.toBigInt(), data.credits.toBigInt() * RAO_PER_CREDIT);
          buyers += data.alpha.toBigInt();
        }
        if (section === 'rewards' && method === 'EraFrozen' && of) {
          frozen = { era: data.era.toNumber(), amount: data.amount.toBigInt() };
          assert.equal(frozen.amount, miners, 'the pool is the miners’ parts since the order began');
        }
        if (section === 'rewards' && method === 'NodeCredited' && data.node.toNumber() === node && frozen) {
          credited += data.amount.toBigInt();
        }
        if (section === 'rewards' && method === 'PagePaid' && of && credited > 0n) return true;
      }
    }
    // Blocks pay pages by themselves; that anyone may is seen below.
    return false;
  });
  assert.ok(buyers > 0n);
  assert.equal(credited, frozen.amount, 'who serves alone gets all of the pool');
  const [[twice, thief], { error, events, hash }] = await Promise.all([
    sendAll([api.tx.rewards.payoutPage(S3, frozen.era, 0), api.tx.rewards.withdraw(node)], buyer),
    send(api.tx.rewards.withdraw(node), family),
  ]);
  assert.ok(['rewards.UnknownEra', 'rewards.PageAlreadyPaid'].includes(twice.error), twice.error);
  // The second, if the family's own came before it in the block.
  assert.ok(['rewards.NotYourNode', 'rewards.NothingToPay'].includes(thief.error), thief.error);
  assert.equal(error, undefined);
  const amount = find(events, 'rewards', 'Withdrawn').data.amount.toBigInt();
  assert.ok(amount >= credited);
  assert.equal(await gained(family, hash), amount);
});

test('a nominator gets its part of the validators’ and withdraws it', async () => {
  const frozen = await until('an era of staking with a pot', async (hash) => {
    const at = await api.at(hash);
    const eras = await at.query.rewards.stakerEras.entries();
    return eras.length > 0 && eras.map(([key]) => key.args[0].toNumber()).sort((a, b) => b - a)[0];
  });
  const validators = await api.query.session.validators();
  const payouts = validators.map((validator) => api.tx.rewards.payoutValidator(frozen, validator, 0));
  // Who was paid before is refused; the others are not kept from it.
  const paid = await send(api.tx.utility.forceBatch(payouts), buyer);
  assert.equal(paid.error, undefined);
  const at = await api.at(paid.hash);
  const earned = (await at.query.rewards.stakerEarned(eve.address)).toBigInt();
  assert.ok(earned > 0n);
  const [{ error, events, hash }, again] = await sendAll(
    [api.tx.rewards.withdrawStake(), api.tx.rewards.withdrawStake()],
    eve,
  );
  assert.equal(error, undefined);
  assert.equal(find(events, 'rewards', 'StakeWithdrawn').data.amount.toBigInt(), earned);
  assert.equal(await gained(eve, hash), earned);
  assert.equal(again.error, 'rewards.NothingToPay');
});

test('the order ends; what was not used comes back', async () => {
  const account = (await api.query.marketplace.accounts(buyer.address)).unwrap();
  const [paid] = account.batches;
  const [[ended, { error, events, hash }], closed] = await Promise.all([
    sendAll([api.tx.orders.cancel(order), api.tx.marketplace.refund(paid.id)], buyer),
    until('the end', async (at) => (await (await api.at(at)).query.orders.orders(order)).isNone).then(() =>
      send(api.tx.orders.offer(node, 'S3', 0), family),
    ),
  ]);
  assert.equal(ended.error, undefined);
  assert.ok(find(ended.events, 'orders', 'Ended').data.why.isCancelled);
  assert.equal(error, undefined);
  const alpha = find(events, 'marketplace', 'Refunded').data.alpha.toBigInt();
  assert.equal(await gained(buyer, hash), alpha);
  assert.equal(closed.error, undefined);
  let spent = 0n;
  for (let at = await numberOf(accepted.hash), last = await numberOf(closed.hash); at <= last; at++) {
    for (const { section, method, data } of await eventsOf(await api.rpc.chain.getBlockHash(at))) {
      const mine = section === 'marketplace' && method === 'Charged' && data.who.toString() === buyer.address;
      if (mine) spent += data.alpha.toBigInt();
    }
  }
  assert.equal(spent + alpha, 10n * ALPHA, 'what was charged and what came back is what was paid in');
});

test('the command line drives an order through its life', async () => {
  assert.equal(await stroll, undefined);
});

test('the command line withdraws what a node has earned, or says that there is nothing', async () => {
  const state = process.env.HIPPIUS_DEVNET_DIR ?? join(homedir(), '.local/state/hippius/devnet');
  const look = ['earnings', '--base-path', join(state, 'miners/miner-01'), '--chain', endpoint()];
  const secret = { ARION_SURI: '//Family01' };
  const earned = await tool('arion-miner', look, secret);
  const got = await tool('arion-miner', [...look, '--withdraw'], secret);
  if (BigInt(earned.accrued) > 0n) {
    assert.ok(BigInt(got.withdrawn) >= BigInt(earned.accrued), `${got.withdrawn} of ${earned.accrued}`);
  } else {
    assert.match(got.stderr ?? '', /NothingToPay|nothing_to_pay/);
  }
});
