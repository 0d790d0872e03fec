// What both client tests share: where the network is, and the proofs node keys sign
// (crates/primitives/src/registration.rs), encoded by hand so that no library's idea of the types
// can hide a change.

import { blake3 } from '@noble/hashes/blake3';
import { hexToU8a, stringToU8a, u8aConcat, u8aToHex } from '@polkadot/util';
import { ed25519PairFromSeed, ed25519Sign, randomAsU8a } from '@polkadot/util-crypto';

export const ALPHA = 1_000_000_000n;

/** WebSocket URL of a node of a network whose miners are registered, e.g. one of scripts/devnet.sh. */
export function endpoint() {
  const url = process.env.HIPPIUS_WS;
  if (!url) throw new Error('set HIPPIUS_WS to the RPC of a running network, e.g. ws://127.0.0.1:21909');
  return url;
}

/** A fresh Ed25519 node key. */
export function nodeKey() {
  const pair = ed25519PairFromSeed(randomAsU8a(32));
  return { hex: u8aToHex(pair.publicKey), bytes: pair.publicKey, sign: (message) => ed25519Sign(message, pair) };
}

function uint(value, bytes) {
  const out = new Uint8Array(bytes);
  let rest = BigInt(value);
  for (let i = 0; i < bytes; i++) {
    out[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return out;
}

/** SCALE compact length; enough for the short lists here. */
function length(count) {
  if (count >= 64) throw new Error(`${count} needs a longer compact form`);
  return Uint8Array.of(count << 2);
}

/** SCALE of NodeParams {zone, host, capacity, addresses: [{ip: [4 bytes], port}]}. */
export function encodeParams({ zone, host, capacity, addresses }) {
  const name = stringToU8a(host);
  return u8aConcat(
    uint(zone, 1),
    length(name.length),
    name,
    uint(capacity, 8),
    length(addresses.length),
    ...addresses.map(({ ip, port }) => u8aConcat(Uint8Array.of(4, ...ip), uint(port, 2))),
  );
}

function signed(key, context, ...body) {
  const message = u8aConcat(stringToU8a(context), blake3(u8aConcat(...body)));
  return u8aToHex(key.sign(message));
}

/** KeyProof of a registration. */
export function registrationProof({ key, genesis, family, params, sequence = 0, validUntil }) {
  const signature = signed(
    key,
    'hippius/register-node/v1',
    hexToU8a(genesis),
    family,
    key.bytes,
    encodeParams(params),
    uint(sequence, 4),
    uint(validUntil, 4),
  );
  return { genesis, sequence, validUntil, signature };
}

/** KeyProof of a new key for a registered node. */
export function rotationProof({ key, genesis, family, node, sequence = 0, validUntil }) {
  const signature = signed(
    key,
    'hippius/rotate-node-key/v1',
    hexToU8a(genesis),
    family,
    uint(node, 4),
    key.bytes,
    uint(sequence, 4),
    uint(validUntil, 4),
  );
  return { genesis, sequence, validUntil, signature };
}

/** The same proof with one bit of its signature flipped. */
export function spoiled(proof) {
  const bytes = hexToU8a(proof.signature);
  bytes[5] ^= 1;
  return { ...proof, signature: u8aToHex(bytes) };
}
