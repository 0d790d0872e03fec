//! Checks of what an operator declares and of what a node key signs.

use crate::{Config, Error, HostName, NodeAddresses, NodeByKey, Pallet, ProofSequence};
use frame_support::{ensure, traits::Get};
use frame_system::pallet_prelude::BlockNumberFor;
use hippius_primitives::{
	net::MAX_RELAYS,
	registration::{KeyProof, NodeParams},
	traits::Zones,
	NodeAddress, NodeKey, RelayAddress,
};
use sp_core::ed25519;
use sp_runtime::traits::{Saturating, Zero};

/// The y coordinates of the points of small order, little endian, without the sign bit, also those
/// written with a y not reduced modulo 2^255 - 19. A "key" among them has signatures that fit any
/// message.
const SMALL_ORDER: [[u8; 32]; 7] = [
	bytes(0x00, 0x00, 0x00),
	bytes(0x01, 0x00, 0x00),
	bytes(0xec, 0xff, 0x7f),
	bytes(0xed, 0xff, 0x7f),
	bytes(0xee, 0xff, 0x7f),
	[
		0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
		0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
		0xfc, 0x05,
	],
	[
		0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
		0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
		0x03, 0x7a,
	],
];

const fn bytes(first: u8, middle: u8, last: u8) -> [u8; 32] {
	let mut bytes = [middle; 32];
	bytes[0] = first;
	bytes[31] = last;
	bytes
}

/// Whether the key is a point of small order.
pub(crate) fn is_weak(key: &NodeKey) -> bool {
	let mut y = key.0;
	y[31] &= 0x7f;
	SMALL_ORDER.contains(&y)
}

/// Relays have errors of their own.
fn is_reachable(address: &NodeAddress) -> bool {
	address.relay().is_some() || address.is_sound()
}

impl<T: Config> Pallet<T> {
	/// Checks a declaration and bounds its parts.
	pub(crate) fn check_params(params: &NodeParams) -> Result<(HostName, NodeAddresses), Error<T>> {
		ensure!(!params.host.is_empty(), Error::<T>::HostEmpty);
		let host = HostName::try_from(params.host.clone()).map_err(|_| Error::<T>::HostTooLong)?;
		ensure!(core::str::from_utf8(&host).is_ok(), Error::<T>::HostNotUtf8);
		ensure!(!params.addresses.is_empty(), Error::<T>::NoAddress);
		let addresses = NodeAddresses::try_from(params.addresses.clone())
			.map_err(|_| Error::<T>::TooManyAddresses)?;
		ensure!(
			addresses.iter().all(is_reachable),
			Error::<T>::InvalidAddress
		);
		let relays = || addresses.iter().filter_map(NodeAddress::relay);
		ensure!(
			relays().all(RelayAddress::is_sound),
			Error::<T>::InvalidRelay
		);
		ensure!(relays().count() <= MAX_RELAYS, Error::<T>::TooManyRelays);
		ensure!(
			params.capacity >= T::MinCapacity::get(),
			Error::<T>::CapacityTooSmall
		);
		ensure!(
			params.capacity <= T::MaxCapacity::get(),
			Error::<T>::CapacityTooLarge
		);
		ensure!(T::Zones::exists(params.zone), Error::<T>::UnknownZone);
		Ok((host, addresses))
	}

	/// Checks a proof's chain and time.
	pub(crate) fn check_proof_frame(proof: &KeyProof) -> Result<(), Error<T>> {
		// Frame-system keeps the hash of block 0 for ever, and has it from block 1 on.
		let genesis = frame_system::BlockHash::<T>::get(BlockNumberFor::<T>::zero());
		ensure!(
			genesis != T::Hash::default() && genesis.as_ref() == proof.genesis.as_slice(),
			Error::<T>::WrongGenesis
		);
		let now = frame_system::Pallet::<T>::block_number();
		let valid_until = BlockNumberFor::<T>::from(proof.valid_until);
		ensure!(valid_until >= now, Error::<T>::ProofExpired);
		ensure!(
			valid_until <= now.saturating_add(T::MaxProofLifetime::get()),
			Error::<T>::ProofTooFarAhead
		);
		Ok(())
	}

	/// Checks that a key is free and the proof its next one.
	pub(crate) fn check_key(key: &NodeKey, proof: &KeyProof) -> Result<(), Error<T>> {
		ensure!(!is_weak(key), Error::<T>::WeakKey);
		ensure!(
			!NodeByKey::<T>::contains_key(key),
			Error::<T>::KeyAlreadyRegistered
		);
		ensure!(
			proof.sequence == ProofSequence::<T>::get(key),
			Error::<T>::ProofReplayed
		);
		Ok(())
	}

	/// Checks the signature, last of all checks because it costs most, and spends the proof.
	pub(crate) fn spend_proof(
		key: &NodeKey,
		proof: &KeyProof,
		payload: &[u8],
	) -> Result<(), Error<T>> {
		let sequence = proof
			.sequence
			.checked_add(1)
			.ok_or(Error::<T>::SequenceExhausted)?;
		let valid = sp_io::crypto::ed25519_verify(
			&ed25519::Signature::from_raw(proof.signature),
			payload,
			&ed25519::Public::from_raw(key.0),
		);
		ensure!(valid, Error::<T>::BadSignature);
		ProofSequence::<T>::insert(key, sequence);
		Ok(())
	}
}
