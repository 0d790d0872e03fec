//! What collectors post.

use crate::{
	CollectorSignature, Config, Error, HeartbeatConfig, Pallet, Reports, Settings, Windows,
};
use frame_support::{ensure, traits::Get};
use hippius_primitives::heartbeat::PageReport;
use sp_application_crypto::RuntimeAppPublic;
use sp_runtime::transaction_validity::{
	InvalidTransaction, TransactionValidity, TransactionValidityError, ValidTransaction,
};

impl<T: Config> Pallet<T> {
	/// Checks all of a report but its signature; gives the key it must be signed with.
	pub(crate) fn check_report(
		config: &HeartbeatConfig,
		report: &PageReport,
	) -> Result<T::CollectorId, Error<T>> {
		let now = Self::block();
		ensure!(
			config.window_of(now) > report.window,
			Error::<T>::WindowNotOver
		);
		ensure!(
			now < config.report_end(report.window),
			Error::<T>::WindowClosed
		);
		ensure!(report.page < Self::pages(), Error::<T>::UnknownPage);
		let open = Windows::<T>::get(report.window).ok_or(Error::<T>::WindowClosed)?;
		let key = open
			.validators
			.get(report.collector as usize)
			.ok_or(Error::<T>::NotACollector)?;
		ensure!(
			open.collectors(report.page).contains(&report.collector),
			Error::<T>::NotACollector
		);
		ensure!(
			!Reports::<T>::contains_key((report.window, report.page, report.collector)),
			Error::<T>::AlreadyPosted
		);
		ensure!(
			report
				.counts
				.iter()
				.all(|count| *count <= config.beats_per_window),
			Error::<T>::ImpossibleCount
		);
		Ok(key.clone())
	}

	/// Whether the pool may keep a report. The signature comes last, as it costs most.
	pub(crate) fn validate_post_page(
		report: &PageReport,
		signature: &CollectorSignature<T>,
	) -> TransactionValidity {
		let config = Settings::<T>::get().ok_or_else(|| refused(Error::<T>::NotStarted))?;
		let key = Self::check_report(&config, report).map_err(refused)?;
		let payload = report.payload(&Self::genesis_hash());
		if !key.verify(&payload, signature) {
			return Err(refused(Error::<T>::BadSignature));
		}
		let left = config
			.report_end(report.window)
			.saturating_sub(Self::block());
		ValidTransaction::with_tag_prefix("HeartbeatPage")
			.priority(T::Priority::get())
			.and_provides((report.window, report.page, report.collector))
			.longevity(left.into())
			.propagate(true)
			.build()
	}

	/// Takes a report that was checked when it was authorized, which is in the same block and on the same
	/// state.
	pub(crate) fn do_post_page(report: PageReport) {
		Reports::<T>::insert(
			(report.window, report.page, report.collector),
			report.counts,
		);
	}
}

/// How the pool is told of an error.
pub(crate) fn refused<T>(error: Error<T>) -> TransactionValidityError {
	use codec::Encode;
	let invalid = match error {
		Error::WindowNotOver => InvalidTransaction::Future,
		Error::WindowClosed
		| Error::AlreadyPosted
		| Error::OtherWindow
		| Error::AlreadyShown
		| Error::EndpointNotFresh => InvalidTransaction::Stale,
		Error::BadSignature => InvalidTransaction::BadProof,
		other => InvalidTransaction::Custom(other.encode().first().copied().unwrap_or(u8::MAX)),
	};
	invalid.into()
}
