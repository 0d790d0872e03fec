// The same with PAPI, which takes every type from the chain's own metadata.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Keyring } from '@polkadot/keyring';
import { stringToU8a, u8aToHex } from '@polkadot/util';
import { blake2AsHex, cryptoWaitReady, mnemonicGenerate } from '@polkadot/util-crypto';
import { Enum } from 'polkadot-api';
import { getPolkadotSigner } from 'polkadot-api/signer';
import { createWsClient } from 'polkadot-api/ws';
import { WebSocket } from 'ws';
import { ALPHA, endpoint, nodeKey, registrationProof, rotationProof, spoiled } from './lib/hippius.mjs';

let client;
let api;
let dave;
let family;
let genesis;

const account = (pair) => ({
  address: pair.address,
  publicKey: pair.publicKey,
  signer: getPolkadotSigner(pair.publicKey, 'Sr25519', (message) => pair.sign(message)),
});

before(async () => {
  await cryptoWaitReady();
  client = createWsClient(endpoint(), { websocketClass: WebSocket });
  api = client.getUnsafeApi();
  const keyring = new Keyring({ type: 'sr25519' });
  dave = account(keyring.addFromUri('//Dave'));
  family = account(keyring.addFromUri(mnemonicGenerate()));
  genesis = (await client.getChainSpecData()).genesisHash;
});

after(() => client?.destroy());

const find = (events, pallet, name) =>
  events.find(({ event }) => event.type === pallet && event.value.type === name)?.event.value.value;
const free = async (address, at) => (await api.query.System.Account.getValue(address, { at })).data.free;

/** 'Pallet.Name' of a refused call. */
const refusal = ({ ok, dispatchError }) => {
  assert.equal(ok, false, 'the call was refused');
  assert.equal(dispatchError.type, 'Module');
  return `${dispatchError.value.type}.${dispatchError.value.value.type}`;
};

const snake = ({ genesis, sequence, validUntil, signature }) => ({
  genesis,
  sequence,
  valid_until: validUntil,
  signature,
});

function registerNode(key, { zone, host, capacity, addresses }, proof) {
  return api.tx.Registry.register_node({
    node_key: key.hex,
    params: {
      zone,
      host: stringToU8a(host),
      capacity,
      addresses: addresses.map(({ ip, port }) => Enum('V4', { ip: u8aToHex(Uint8Array.from(ip)), port })),
    },
    proof: snake(proof),
  });
}

test('metadata decodes and names the network', async () => {
  const { properties } = await client.getChainSpecData();
  assert.equal(properties.tokenSymbol, 'ALPHA');
  assert.equal(properties.tokenDecimals, 9);
  assert.equal(properties.ss58Format, 42);
  assert.equal(await api.constants.Balances.ExistentialDeposit(), 500n);
});

test('a transfer moves exactly its amount, the sender pays the fee', async () => {
  const value = 1_000n * ALPHA;
  const call = api.tx.Balances.transfer_keep_alive({ dest: Enum('Id', family.address), value });
  const done = await call.signAndSubmit(dave.signer);
  assert.equal(done.ok, true);
  const fee = find(done.events, 'TransactionPayment', 'TransactionFeePaid').actual_fee;
  const parent = (await client.getBlockHeader(done.block.hash)).parentHash;
  assert.ok(fee > 0n);
  assert.equal(await free(family.address, done.block.hash), value);
  assert.equal(await free(dave.address, done.block.hash), (await free(dave.address, parent)) - value - fee);
  assert.equal(find(done.events, 'Balances', 'Transfer').amount, value);
});

test('a node is registered, its key rotated, and every wrong proof is refused by name', async () => {
  const key = nodeKey();
  const params = { zone: 5, host: 'papi-test', capacity: 2n ** 30n, addresses: [{ ip: [127, 0, 0, 1], port: 4001 }] };
  const validUntil = (await client.getFinalizedBlock()).number + 50;
  const base = { key, genesis, family: family.publicKey, validUntil };
  const proof = registrationProof({ ...base, params });
  const submit = (first) => (call, i) => call.signAndSubmit(family.signer, { nonce: first + i });

  const [bad, other, registered] = await Promise.all(
    [
      registerNode(key, params, spoiled(proof)),
      registerNode(key, params, registrationProof({ ...base, genesis: `0x${'11'.repeat(32)}`, params })),
      registerNode(key, params, proof),
    ].map(submit(0)),
  );
  assert.equal(refusal(bad), 'Registry.BadSignature');
  assert.equal(refusal(other), 'Registry.WrongGenesis');
  assert.equal(registered.ok, true);
  const event = find(registered.events, 'Registry', 'NodeRegistered');
  assert.equal(event.family, family.address);
  assert.equal(event.key, key.hex);
  const { node } = event;

  const at = registered.block.hash;
  assert.equal(await api.query.Registry.NodeByKey.getValue(key.hex, { at }), node);
  const record = await api.view.Registry.node_by_key(key.hex, { at });
  assert.equal(record.index, node);
  assert.equal(record.params.zone, 5);
  assert.equal(await api.view.Registry.node(4_000_000_000, { at }), undefined);

  const next = nodeKey();
  const rotation = snake(rotationProof({ ...base, key: next, node }));
  const [announced, activated, replayed, leaving] = await Promise.all(
    [
      api.tx.Registry.announce_key({ node, new_key: next.hex, proof: rotation }),
      api.tx.Registry.activate_key({ node }),
      registerNode(key, params, proof),
      api.tx.Registry.start_exit({ node }),
    ].map(submit(3)),
  );
  assert.equal(find(announced.events, 'Registry', 'KeyAnnounced').key, next.hex);
  assert.equal(find(activated.events, 'Registry', 'KeyActivated').old, key.hex);
  assert.equal(refusal(replayed), 'Registry.ProofReplayed');
  assert.equal(find(leaving.events, 'Registry', 'ExitStarted').node, node);
});

test('the cluster map and acting sets are read from the runtime', async () => {
  const { hash: at } = await client.getFinalizedBlock();
  const epoch = await api.query.ClusterMap.CurrentEpoch.getValue({ at });
  assert.ok(epoch > 0, 'the network has a cluster map');
  const map = await api.apis.PlacementGroupsApi.cluster_map(undefined, { at });
  assert.equal(blake2AsHex(map), await api.query.ClusterMap.MapHash.getValue(epoch, { at }));

  const acting = await api.apis.PlacementGroupsApi.acting_set(0, { at });
  assert.equal(acting.success, true);
  // A slot is empty for an epoch after its miner was away, which a loaded machine's may have been.
  assert.equal(acting.value.length, 30);
  const members = acting.value.filter((member) => member !== undefined);
  assert.ok(members.length >= 20, `${members.length} of 30 slots have a member`);
  assert.equal(new Set(members).size, members.length);
  const viewed = await api.view.PlacementGroups.acting_set(0, { at });
  assert.deepEqual(viewed, acting);

  const refused = await api.apis.PlacementGroupsApi.acting_set(0xffff_ffff, { at });
  assert.equal(refused.success, false);
  assert.equal(refused.value.type, 'UnknownPg');
  const pg = await api.apis.PlacementGroupsApi.pg_of(`0x${'5a'.repeat(32)}`, { at });
  assert.equal((await api.view.PlacementGroups.up_set(pg, { at })).success, true);
});
