#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
pub use benchmarking::BenchmarkHelper;
pub use pallet::*;
pub use types::{
	Account, Grant, KeySignatures, Line, Payment, PaymentKeys, PaymentState, Pending, Plan, Points,
	Receipts, SignedReceipt, Standing, Status, Subscription, Terms, MAX_RECEIPTS,
};
pub use weights::WeightInfo;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod fund;
mod measured;
mod plans;
mod read;
mod settle;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;
mod types;
mod usage;
mod vouchers;
pub mod weights;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::vec::Vec;
	use frame_support::{
		dispatch::DispatchClass,
		pallet_prelude::*,
		traits::{
			fungible::{Inspect, Mutate},
			UnixTime,
		},
		PalletId,
	};
	use frame_system::pallet_prelude::*;
	use hippius_economy::{index::Point, Oracle};
	use hippius_primitives::{
		money::{Pool, Service, Source, Voucher},
		traits::{ClusterMaps, EgressWeights, RevenueSink},
		Epoch, NodeIndex,
	};

	/// The layout of this pallet's storage.
	pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// What the runtime decides for this pallet.
	#[pallet::config]
	pub trait Config: frame_system::Config<AccountId: Into<[u8; 32]> + From<[u8; 32]>> {
		/// Alpha, in rao.
		type Currency: Inspect<Self::AccountId, Balance = u128> + Mutate<Self::AccountId>;

		/// Takes charges.
		type Revenue: RevenueSink<Self::AccountId>;

		/// Hears of what clients paid for bytes that nodes sent.
		type Egress: EgressWeights;

		/// Epochs, in which receipts count.
		type Maps: ClusterMaps;

		/// Unix time.
		type Time: UnixTime;

		/// Who names prices of services, plans and the payment service's keys.
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// Who tells the price of alpha, within bounds.
		type OracleOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// From this the accounts of escrow, float and reserve are derived.
		#[pallet::constant]
		type PalletId: Get<PalletId>;

		/// Accounts settled per block, as far as there is room.
		#[pallet::constant]
		type SettlePerBlock: Get<u32>;

		/// Weights of calls and hooks.
		type WeightInfo: WeightInfo;

		/// Other pallets for benchmarks.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: BenchmarkHelper<Self::AccountId>;
	}

	/// Lengths and limits. Set at genesis; the main network's without.
	#[pallet::storage]
	#[pallet::storage_prefix = "Config"]
	pub type Settings<T> = StorageValue<_, Terms>;

	/// Who has credits or uses anything. Written by most calls and by the sweep; removed when there is
	/// nothing left to remember.
	#[pallet::storage]
	pub type Accounts<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AccountId, Account<T::AccountId>>;

	/// The account settled last by the sweep.
	#[pallet::storage]
	pub type Cursor<T: Config> = StorageValue<_, T::AccountId>;

	/// The number the next batch gets. Only ever grows.
	#[pallet::storage]
	pub type NextBatch<T> = StorageValue<_, u64, ValueQuery>;

	/// Payments by reference. Never removed: it is what makes each count once, for ever.
	#[pallet::storage]
	pub type Payments<T: Config> = StorageMap<_, Blake2_128Concat, [u8; 32], Payment<T::AccountId>>;

	/// The payment service's keys. Written by `set_payment_keys`.
	#[pallet::storage]
	pub type Keys<T> = StorageValue<_, PaymentKeys, ValueQuery>;

	/// Keys that were the payment service's. Never removed.
	#[pallet::storage]
	pub type RevokedKeys<T> = StorageMap<_, Blake2_128Concat, [u8; 32], ()>;

	/// The day of the last voucher of a source, and the credits of that day's.
	#[pallet::storage]
	pub type SourceMinted<T> = StorageMap<_, Twox64Concat, Source, (u64, u128), ValueQuery>;

	/// The price of alpha. Written by `set_alpha_price`, `force_alpha_price`.
	#[pallet::storage]
	pub type AlphaPrice<T> = StorageValue<_, Oracle>;

	/// Prices of what is used: per GB-hour of what is held, per GB of what is sent. Written by
	/// `set_price`.
	#[pallet::storage]
	pub type Prices<T> = StorageMap<_, Twox64Concat, Pool, Points, ValueQuery>;

	/// Plans that are offered. Written by `set_plan`.
	#[pallet::storage]
	pub type Plans<T> = StorageMap<_, Twox64Concat, u32, Plan>;

	/// Bytes that were charged already, by epoch and by blake2-256 of client, gateway, service and node.
	/// Written by `post_egress`, removed when receipts of the epoch no longer count.
	#[pallet::storage]
	pub type EgressSeen<T> =
		StorageDoubleMap<_, Twox64Concat, Epoch, Identity, [u8; 32], u64, ValueQuery>;

	/// The oldest epoch whose receipts may not be forgotten yet.
	#[pallet::storage]
	pub type EgressFrom<T> = StorageValue<_, Epoch, ValueQuery>;

	/// Lengths, limits and prices from block 0 on.
	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// Those of this chain.
		pub market: Terms,
		/// Prices, with 32 binary places.
		pub prices: Vec<(Pool, u64)>,
		/// Credits per alpha, as of time 0: the oracle's first price must follow. None if 0.
		pub alpha_price: u64,
		/// The payment service's keys.
		pub payment_keys: Vec<[u8; 32]>,
		/// Nothing; carries the type.
		#[serde(skip)]
		pub _config: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			// A chain specification without a working market must not start.
			if let Err(reason) = self.market.check() {
				panic!("the marketplace's genesis configuration is not valid: {reason}");
			}
			Settings::<T>::put(self.market);
			for (pool, price) in &self.prices {
				let point = Point {
					block: 0,
					index: 0,
					price: u128::from(*price),
				};
				Prices::<T>::insert(pool, Points::truncate_from(alloc::vec![point]));
			}
			if self.alpha_price > 0 {
				AlphaPrice::<T>::put(Oracle::new(self.alpha_price.into(), 0));
			}
			match PaymentKeys::try_from(self.payment_keys.clone()) {
				Ok(keys) => Keys::<T>::put(keys),
				Err(keys) => panic!("the payment service has 3 keys, not {}", keys.len()),
			}
			// What keeps the accounts alive, so that the last rao behind a credit can move.
			for account in [
				Pallet::<T>::escrow(),
				Pallet::<T>::float(),
				Pallet::<T>::reserve(),
			] {
				let least = T::Currency::minimum_balance();
				if T::Currency::balance(&account) < least {
					T::Currency::set_balance(&account, least);
				}
			}
		}
	}

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// Alpha was paid in for credits.
		#[codec(index = 0)]
		Deposited {
			/// Who.
			who: T::AccountId,
			/// Rao.
			alpha: u128,
			/// Credits.
			credits: u128,
			/// Credits per alpha.
			price: u128,
		},
		/// What was left of a batch was given back.
		#[codec(index = 1)]
		Refunded {
			/// Whose.
			who: T::AccountId,
			/// Rao.
			alpha: u128,
			/// Credits.
			credits: u128,
		},
		/// A payment gave credits.
		#[codec(index = 2)]
		VoucherRedeemed {
			/// Who has them.
			who: T::AccountId,
			/// The payment.
			payment: [u8; 32],
			/// With what it was paid.
			source: Source,
			/// Credits.
			credits: u128,
			/// Rao moved from float to escrow.
			alpha: u128,
		},
		/// What a payment had paid for was paid out.
		#[codec(index = 3)]
		PaymentMatured {
			/// The payment.
			payment: [u8; 32],
			/// Rao.
			alpha: u128,
		},
		/// A payment was reversed; its user's account is locked until it repaid.
		#[codec(index = 4)]
		ChargedBack {
			/// The user.
			who: T::AccountId,
			/// The payment.
			payment: [u8; 32],
			/// Credits that are gone.
			credits: u128,
			/// Rao back from escrow to float.
			returned: u128,
			/// Rao from reserve to float.
			covered: u128,
			/// Rao the reserve could not cover.
			uncovered: u128,
			/// Rao the user owes.
			owed: u128,
		},
		/// A user repaid what it owed for reversed payments.
		#[codec(index = 5)]
		Repaid {
			/// The user.
			who: T::AccountId,
			/// Rao.
			alpha: u128,
		},
		/// What an account used was charged.
		#[codec(index = 6)]
		Charged {
			/// The account.
			who: T::AccountId,
			/// What for.
			pool: Pool,
			/// Credits.
			credits: u128,
			/// Rao that went to revenue.
			alpha: u128,
			/// Rao that goes there when the payments behind it mature.
			pending: u128,
		},
		/// A client was charged for bytes it received.
		#[codec(index = 7)]
		EgressCharged {
			/// The client.
			client: T::AccountId,
			/// Who sent them.
			gateway: T::AccountId,
			/// The service.
			service: Service,
			/// Where they came from.
			node: NodeIndex,
			/// How many.
			bytes: u64,
			/// Credits.
			credits: u128,
		},
		/// An account's credits are below the floor: nothing new until it has more.
		#[codec(index = 8)]
		GraceStarted {
			/// The account.
			who: T::AccountId,
			/// Credits left.
			credits: u128,
			/// Block until which nothing is released, however few they are.
			until: u32,
		},
		/// An account's credits ran out: whoever likes may release what is stored for it.
		#[codec(index = 9)]
		AccountExpired {
			/// The account.
			who: T::AccountId,
			/// Units it holds.
			units: u64,
			/// Credits it owes.
			debt: u128,
		},
		/// An account has enough credits again.
		#[codec(index = 10)]
		AccountRestored {
			/// The account.
			who: T::AccountId,
		},
		/// A gateway may add and charge for an account.
		#[codec(index = 11)]
		GatewayAuthorised {
			/// The account.
			who: T::AccountId,
			/// The gateway.
			gateway: T::AccountId,
			/// What it may.
			grant: Grant,
		},
		/// A gateway may no longer.
		#[codec(index = 12)]
		GatewayRevoked {
			/// The account.
			who: T::AccountId,
			/// The gateway.
			gateway: T::AccountId,
		},
		/// A plan's period began.
		#[codec(index = 13)]
		Subscribed {
			/// The account.
			who: T::AccountId,
			/// The plan.
			id: u32,
			/// Its service.
			service: Service,
			/// Credits prepaid.
			price: u128,
			/// The first block after the period.
			until: u32,
		},
		/// A subscription ended.
		#[codec(index = 14)]
		SubscriptionEnded {
			/// The account.
			who: T::AccountId,
			/// The service.
			service: Service,
			/// Credits prepaid and not used, free again.
			returned: u128,
		},
		/// The price of alpha was told.
		#[codec(index = 15)]
		AlphaPriceSet {
			/// Credits per alpha.
			price: u128,
			/// Unix time in ms.
			at: u64,
		},
		/// Notice of a price was given.
		#[codec(index = 16)]
		PriceSet {
			/// For what.
			pool: Pool,
			/// Credits per GB-hour held or per GB sent, with 32 binary places.
			price: u128,
			/// From this block on.
			from: u32,
		},
		/// A plan is offered, or no longer is.
		#[codec(index = 17)]
		PlanSet {
			/// Its number.
			id: u32,
			/// The plan.
			plan: Option<Plan>,
		},
		/// The payment service has new keys.
		#[codec(index = 18)]
		PaymentKeysSet {
			/// All of them.
			keys: PaymentKeys,
		},
		/// An account could not be settled; it is tried again.
		#[codec(index = 19)]
		SettlementFailed {
			/// The account.
			who: T::AccountId,
			/// Why.
			error: DispatchError,
		},
	}

	/// Why a call was refused.
	#[pallet::error]
	pub enum Error<T> {
		/// The account never had credits.
		#[codec(index = 0)]
		NoAccount,
		/// Less than the least deposit.
		#[codec(index = 1)]
		AmountTooSmall,
		/// More than can be counted.
		#[codec(index = 2)]
		AmountTooLarge,
		/// The price of alpha fell: the deposit would give fewer credits than asked for.
		#[codec(index = 3)]
		PriceMoved,
		/// Nobody told a price of alpha yet.
		#[codec(index = 4)]
		NoAlphaPrice,
		/// The price of alpha is older than an hour: try again when the next is told.
		#[codec(index = 5)]
		PriceStale,
		/// The price of alpha may move by at most 5 % within an hour.
		#[codec(index = 6)]
		PriceJump,
		/// The price of alpha cannot be zero.
		#[codec(index = 7)]
		PriceZero,
		/// The account has 32 batches: spend or refund one first.
		#[codec(index = 8)]
		TooManyBatches,
		/// The account has 32 payments that are not matured: wait for the oldest.
		#[codec(index = 9)]
		TooManyPayments,
		/// A line per pool, a subscription per service: there are no more.
		#[codec(index = 10)]
		TooManyLines,
		/// The account has no such batch.
		#[codec(index = 11)]
		UnknownBatch,
		/// Money that came by card goes back by card.
		#[codec(index = 12)]
		NotRefundable,
		/// What would be left does not pay for a week of what is used, or for what is prepaid.
		#[codec(index = 13)]
		BelowFloor,
		/// A payment was reversed: repay what is owed first. Or the account expired.
		#[codec(index = 14)]
		AccountLocked,
		/// Nothing is owed for reversed payments.
		#[codec(index = 15)]
		NothingOwed,
		/// The account has too few credits.
		#[codec(index = 16)]
		NotEnoughCredits,
		/// Revenue could not be moved.
		#[codec(index = 17)]
		RevenueNotTaken,
		/// Signed for another chain.
		#[codec(index = 18)]
		WrongGenesis,
		/// The genesis hash is not known before block 1.
		#[codec(index = 19)]
		NoGenesis,
		/// This very voucher was redeemed before.
		#[codec(index = 20)]
		VoucherReplayed,
		/// Another voucher for the same payment was redeemed before.
		#[codec(index = 21)]
		PaymentUsed,
		/// The voucher is too old.
		#[codec(index = 22)]
		VoucherExpired,
		/// Vouchers of this source gave as much as they may today.
		#[codec(index = 23)]
		SourceCap,
		/// Vouchers gave this account as much as they may today.
		#[codec(index = 24)]
		UserCap,
		/// There is not enough alpha to back the voucher: the treasury must fill the float.
		#[codec(index = 25)]
		FloatTooLow,
		/// A key was the payment service's, but is no longer.
		#[codec(index = 26)]
		KeyRevoked,
		/// A key was never the payment service's.
		#[codec(index = 27)]
		UnknownKey,
		/// A key is named twice.
		#[codec(index = 28)]
		DuplicateKey,
		/// Two of the three keys must sign.
		#[codec(index = 29)]
		TooFewSignatures,
		/// A signature is not that of its key for this.
		#[codec(index = 30)]
		BadSignature,
		/// No voucher told of this payment.
		#[codec(index = 31)]
		UnknownPayment,
		/// The payment's freeze is not over.
		#[codec(index = 32)]
		StillFrozen,
		/// The payment is not frozen: matured, reversed, or never was.
		#[codec(index = 33)]
		NotFrozen,
		/// TAO is not charged back.
		#[codec(index = 34)]
		NotReversible,
		/// The payment was reversed before.
		#[codec(index = 35)]
		AlreadyReversed,
		/// A price is above 2^32 credits.
		#[codec(index = 36)]
		PriceTooHigh,
		/// A price must be noticed earlier; the first one must not be of the past.
		#[codec(index = 37)]
		NoticeTooShort,
		/// A plan's period is so short that who is settled once in the time of grace could not be caught up:
		/// four periods last at least as long.
		#[codec(index = 38)]
		PlanUnsound,
		/// No such plan is offered.
		#[codec(index = 39)]
		UnknownPlan,
		/// The account has no subscription for this service.
		#[codec(index = 40)]
		NotSubscribed,
		/// The account did not authorise this gateway, or not for so much, or no longer.
		#[codec(index = 41)]
		NotAuthorised,
		/// An account authorises at most 8 gateways.
		#[codec(index = 42)]
		TooManyGateways,
		/// The last block of an authorisation is past.
		#[codec(index = 43)]
		GrantExpired,
		/// A receipt is for another gateway.
		#[codec(index = 44)]
		OtherGateway,
		/// Receipts count in their epoch and the next.
		#[codec(index = 45)]
		EpochNotOpen,
		/// A receipt as high was charged before.
		#[codec(index = 46)]
		ReceiptNotHigher,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_idle(now: BlockNumberFor<T>, room: Weight) -> Weight {
			let forget = <T as Config>::WeightInfo::forget_receipts();
			if !room.all_gte(forget) {
				return Weight::zero();
			}
			Self::forget_receipts();
			forget.saturating_add(Self::sweep(now, room.saturating_sub(forget)))
		}

		fn integrity_test() {
			assert!(
				T::SettlePerBlock::get() > 0,
				"accounts must be settled: nobody else need do it"
			);
			let weights = T::BlockWeights::get();
			let sweep =
				<T as Config>::WeightInfo::settle().saturating_mul(T::SettlePerBlock::get().into());
			assert!(
				sweep.ref_time() <= weights.max_block.ref_time() / 2,
				"settling accounts must leave half of a block"
			);
			let receipts = <T as Config>::WeightInfo::post_egress(MAX_RECEIPTS);
			let most = weights.get(DispatchClass::Normal).max_extrinsic;
			assert!(
				most.is_none_or(|most| receipts.ref_time() <= most.ref_time()),
				"a call with as many receipts as there may be must fit a block"
			);
			assert!(
				Pallet::<T>::escrow() != Pallet::<T>::float()
					&& Pallet::<T>::escrow() != Pallet::<T>::reserve()
					&& Pallet::<T>::float() != Pallet::<T>::reserve(),
				"escrow, float and reserve must be three accounts"
			);
			assert!(
				T::Currency::minimum_balance() > 0,
				"accounts are kept alive by their least balance"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call(weight(<T as Config>::WeightInfo))]
	impl<T: Config> Pallet<T> {
		/// Buys credits with `alpha` rao at the price of now; refused if they were fewer than `least`.
		#[pallet::call_index(0)]
		pub fn deposit(origin: OriginFor<T>, alpha: u128, least: u128) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_deposit(who, alpha, least)
		}

		/// Gives back what is left of a batch that was paid in alpha or TAO: the alpha behind it.
		#[pallet::call_index(1)]
		pub fn refund(origin: OriginFor<T>, batch: u64) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_refund(who, batch)
		}

		/// Gives the credits of a voucher to its user. Anyone may bring it; two of the payment service's
		/// keys must have signed [`Voucher::payload`](hippius_primitives::money::Voucher::payload).
		#[pallet::call_index(2)]
		pub fn redeem(
			origin: OriginFor<T>,
			voucher: Voucher,
			signatures: KeySignatures,
		) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_redeem(voucher, signatures)
		}

		/// Pays out what a payment paid for while it was frozen. Anyone may ask for it when it is over.
		#[pallet::call_index(3)]
		pub fn mature(origin: OriginFor<T>, payment: [u8; 32]) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_mature(payment)
		}

		/// Reverses a payment. Anyone may bring it; two of the payment service's keys must have signed
		/// [`chargeback_payload`](hippius_primitives::money::chargeback_payload).
		#[pallet::call_index(4)]
		pub fn chargeback(
			origin: OriginFor<T>,
			payment: [u8; 32],
			signatures: KeySignatures,
		) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_chargeback(payment, signatures)
		}

		/// Pays, in alpha, what the account owes for reversed payments, which unlocks it.
		#[pallet::call_index(5)]
		pub fn repay(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_repay(who)
		}

		/// Charges an account for what it used until now. Anyone may ask for it.
		#[pallet::call_index(6)]
		pub fn settle(origin: OriginFor<T>, who: T::AccountId) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_settle(&who)
		}

		/// Lets a gateway add and charge for the signing account, up to limits; replaces what it could
		/// before.
		#[pallet::call_index(7)]
		pub fn authorize_gateway(
			origin: OriginFor<T>,
			gateway: T::AccountId,
			grant: Grant,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_authorize(who, gateway, grant)
		}

		/// Takes back what a gateway may do.
		#[pallet::call_index(8)]
		pub fn revoke_gateway(origin: OriginFor<T>, gateway: T::AccountId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_revoke(who, gateway)
		}

		/// Charges clients for what they say they received of the signing gateway. All or none.
		#[pallet::call_index(9)]
		#[pallet::weight(<T as Config>::WeightInfo::post_egress(receipts.len() as u32))]
		pub fn post_egress(origin: OriginFor<T>, receipts: Receipts) -> DispatchResult {
			let gateway = ensure_signed(origin)?;
			Self::do_post_egress(gateway, receipts)
		}

		/// Prepays a period of a plan; `renew` another after each, as long as there are credits. A plan
		/// in force for the same service ends, its unused part given back.
		#[pallet::call_index(10)]
		pub fn subscribe(origin: OriginFor<T>, plan: u32, renew: bool) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_subscribe(who, plan, renew)
		}

		/// Ends a subscription now; its unused part is given back.
		#[pallet::call_index(11)]
		pub fn unsubscribe(origin: OriginFor<T>, service: Service) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_unsubscribe(who, service)
		}

		/// Tells the price of alpha in credits: at most 5 % an hour from the last.
		#[pallet::call_index(12)]
		pub fn set_alpha_price(origin: OriginFor<T>, price: u128) -> DispatchResult {
			T::OracleOrigin::ensure_origin(origin)?;
			Self::do_set_alpha_price(price, true)
		}

		/// Sets the price of alpha without bounds: the first one, or after a long silence.
		#[pallet::call_index(13)]
		pub fn force_alpha_price(origin: OriginFor<T>, price: u128) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_set_alpha_price(price, false)
		}

		/// Gives notice of the price of something from a block on.
		#[pallet::call_index(14)]
		pub fn set_price(
			origin: OriginFor<T>,
			pool: Pool,
			price: u128,
			from: u32,
		) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_set_price(pool, price, from)
		}

		/// Offers a plan, or no longer does; who has it keeps it.
		#[pallet::call_index(15)]
		pub fn set_plan(origin: OriginFor<T>, id: u32, plan: Option<Plan>) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_set_plan(id, plan)
		}

		/// Names the payment service's keys; those that are no longer among them never count again.
		#[pallet::call_index(16)]
		pub fn set_payment_keys(origin: OriginFor<T>, keys: PaymentKeys) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_set_payment_keys(keys)
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// What is kept of an account.
		pub fn account(who: T::AccountId) -> Option<Account<T::AccountId>> {
			Accounts::<T>::get(who)
		}

		/// How an account stands now: credits, what they are spent on, how long they last.
		pub fn standing(who: T::AccountId) -> Option<Standing> {
			Self::standing_of(&who)
		}

		/// Credits that a deposit of so many rao would give now; none while there is no fresh price.
		pub fn quote(alpha: u128) -> Option<u128> {
			Self::quote_of(alpha)
		}

		/// The price of something now, with 32 binary places.
		pub fn price(pool: Pool) -> u128 {
			Self::price_of(pool)
		}

		/// What became of a payment.
		pub fn payment(payment: [u8; 32]) -> Option<Payment<T::AccountId>> {
			Payments::<T>::get(payment)
		}

		/// The accounts of escrow, float and reserve. Whoever pays into float or reserve fills it.
		pub fn pallet_accounts() -> (T::AccountId, T::AccountId, T::AccountId) {
			(Self::escrow(), Self::float(), Self::reserve())
		}
	}
}
