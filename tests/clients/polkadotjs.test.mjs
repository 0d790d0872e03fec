// Everything an operator does with polkadot.js, against a running network.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ApiPromise, WsProvider } from '@polkadot/api';
import { Keyring } from '@polkadot/keyring';
import { compactStripLength, u8aToHex } from '@polkadot/util';
import { blake2AsHex, cryptoWaitReady, mnemonicGenerate } from '@polkadot/util-crypto';
import { ALPHA, encodeParams, endpoint, nodeKey, registrationProof, rotationProof, spoiled } from './lib/hippius.mjs';
import { find, free as freeAt, send as sendTo } from './lib/send.mjs';

/** @type {ApiPromise} */
let api;
let dave;
let family;
let genesis;

before(async () => {
  await cryptoWaitReady();
  api = await ApiPromise.create({ provider: new WsProvider(endpoint()), noInitWarn: true, throwOnConnect: true });
  const keyring = new Keyring({ type: 'sr25519' });
  dave = keyring.addFromUri('//Dave');
  family = keyring.addFromUri(mnemonicGenerate());
  genesis = api.genesisHash.toHex();
});

after(() => api?.disconnect());

const send = (call, signer, nonce) => sendTo(api, call, signer, nonce);
const free = (address, hash) => freeAt(api, address, hash);

/** The call register_node with a proof of lib/hippius.mjs. */
function registerNode(key, { zone, host, capacity, addresses }, proof) {
  const V4 = ({ ip, port }) => ({ V4: { ip: Uint8Array.from(ip), port } });
  return api.tx.registry.registerNode(key.hex, { zone, host, capacity, addresses: addresses.map(V4) }, proof);
}

test('metadata decodes and names the network', async () => {
  const properties = await api.rpc.system.properties();
  assert.deepEqual(properties.tokenSymbol.unwrap().toJSON(), ['ALPHA']);
  assert.deepEqual(properties.tokenDecimals.unwrap().toJSON(), [9]);
  assert.equal(properties.ss58Format.unwrap().toNumber(), 42);
  for (const pallet of ['registry', 'balances', 'session', 'staking', 'utility']) assert.ok(api.tx[pallet], pallet);
  assert.ok(api.call.placementGroupsApi, 'PlacementGroupsApi is in the metadata');
  assert.equal(api.consts.balances.existentialDeposit.toBigInt(), 500n);
});

test('a transfer moves exactly its amount, the sender pays the fee', async () => {
  const amount = 1_000n * ALPHA;
  const { error, events, hash } = await send(api.tx.balances.transferKeepAlive(family.address, amount), dave);
  assert.equal(error, undefined);
  const parent = (await api.rpc.chain.getHeader(hash)).parentHash;
  const fee = find(events, 'transactionPayment', 'TransactionFeePaid').data.actualFee.toBigInt();
  assert.ok(fee > 0n);
  assert.equal(await free(family.address, hash), amount);
  assert.equal(await free(dave.address, hash), (await free(dave.address, parent)) - amount - fee);
  const moved = find(events, 'balances', 'Transfer');
  assert.equal(moved.data.to.toString(), family.address);
  assert.equal(moved.data.amount.toBigInt(), amount);
});

test('a node is registered, its key rotated, and every wrong proof is refused by name', async () => {
  const key = nodeKey();
  const params = { zone: 0, host: 'client-test', capacity: 2n ** 30n, addresses: [{ ip: [127, 0, 0, 1], port: 4000 }] };
  const validUntil = (await api.rpc.chain.getHeader()).number.toNumber() + 50;
  const base = { key, genesis, family: family.publicKey, validUntil };

  // Our own encoding is the one the metadata describes.
  const type = api.tx.registry.registerNode.meta.args[1].type.toString();
  const typed = api.createType(type, {
    ...params,
    addresses: params.addresses.map(({ ip, port }) => ({ V4: { ip: Uint8Array.from(ip), port } })),
  });
  assert.equal(typed.toHex(), u8aToHex(encodeParams(params)));

  const proof = registrationProof({ ...base, params });
  const elsewhere = `0x${'11'.repeat(32)}`;
  const far = { ...params, zone: 200 };
  const [bad, other, zone, replaying, registered] = await Promise.all(
    [
      registerNode(key, params, spoiled(proof)),
      registerNode(key, params, registrationProof({ ...base, genesis: elsewhere, params })),
      registerNode(key, far, registrationProof({ ...base, params: far })),
      registerNode(key, params, registrationProof({ ...base, params, sequence: 7 })),
      registerNode(key, params, proof),
    ].map((call, nonce) => send(call, family, nonce)),
  );
  assert.equal(bad.error, 'registry.BadSignature');
  assert.equal(other.error, 'registry.WrongGenesis');
  assert.equal(zone.error, 'registry.UnknownZone');
  assert.equal(replaying.error, 'registry.ProofReplayed');
  assert.equal(registered.error, undefined);
  const { data } = find(registered.events, 'registry', 'NodeRegistered');
  assert.equal(data.family.toString(), family.address);
  assert.equal(data.key.toHex(), key.hex);
  const node = data.node.toNumber();
  const at = await api.at(registered.hash);
  assert.equal((await at.query.registry.nodeByKey(key.hex)).unwrap().toNumber(), node);
  assert.equal((await at.query.registry.nodes(node)).unwrap().host.toUtf8(), 'client-test');
  const [record] = await at.call.placementGroupsApi.nodesFrom(node, 1);
  assert.equal(record.params.capacity.toBigInt(), params.capacity);

  // Once the key has been replaced it is free again, but its old proof stays spent.
  const next = nodeKey();
  const rotation = rotationProof({ ...base, key: next, node });
  const [announced, activated, replayed, taken, leaving] = await Promise.all(
    [
      api.tx.registry.announceKey(node, next.hex, rotation),
      api.tx.registry.activateKey(node),
      registerNode(key, params, proof),
      registerNode(next, params, registrationProof({ ...base, key: next, params, sequence: 1 })),
      api.tx.registry.startExit(node),
    ].map((call, i) => send(call, family, 5 + i)),
  );
  assert.equal(find(announced.events, 'registry', 'KeyAnnounced').data.key.toHex(), next.hex);
  assert.equal(find(activated.events, 'registry', 'KeyActivated').data.old.toHex(), key.hex);
  assert.equal(replayed.error, 'registry.ProofReplayed');
  assert.equal(taken.error, 'registry.KeyAlreadyRegistered');
  assert.equal(find(leaving.events, 'registry', 'ExitStarted').data.node.toNumber(), node);
});

test('the cluster map and acting sets are read from the runtime', async () => {
  const hash = await api.rpc.chain.getFinalizedHead();
  const at = await api.at(hash);
  const epoch = (await at.query.clusterMap.currentEpoch()).toNumber();
  assert.ok(epoch > 0, 'the network has a cluster map');
  // Asked for as bytes: the typed form of an Option<Bytes> would keep both of its prefixes.
  const clusterMap = async (epoch) =>
    (await api.rpc.state.call('PlacementGroupsApi_cluster_map', epoch, hash)).toU8a(true);
  const answer = await clusterMap('0x00');
  assert.equal(answer[0], 1, 'Some');
  const [, map] = compactStripLength(answer.subarray(1));
  assert.equal(blake2AsHex(map), (await at.query.clusterMap.mapHash(epoch)).unwrap().toHex());
  assert.deepEqual(await clusterMap('0x01ffffffff'), Uint8Array.of(0), 'None for an epoch that has not come');

  const typed = await at.call.placementGroupsApi.actingSet(0);
  assert.ok(typed.isOk);
  // A slot is empty for an epoch after its miner was away, which a loaded machine's may have been.
  assert.equal(typed.asOk.length, 30);
  const members = typed.asOk.filter((member) => member.isSome).map((member) => member.unwrap().toNumber());
  assert.ok(members.length >= 20, `${members.length} of 30 slots have a member`);
  assert.equal(new Set(members).size, members.length);
  // The same through the bare RPC.
  const raw = await api.rpc.state.call('PlacementGroupsApi_acting_set', '0x00000000', hash);
  assert.equal(raw.toHex(), typed.toHex());

  const refused = await at.call.placementGroupsApi.actingSet(0xffff_ffff);
  assert.ok(refused.isErr);
  assert.equal(refused.asErr.type, 'UnknownPg');
  const pg = (await at.call.placementGroupsApi.pgOf(`0x${'5a'.repeat(32)}`)).unwrap().toNumber();
  assert.ok((await at.call.placementGroupsApi.actingSet(pg)).isOk);
});
