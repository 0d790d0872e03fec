//! `arion orders`.

use crate::{
	account::service_name,
	cli::{AccountArgs, OrderArgs, Ordered, OrdersCommand, Output},
	credits::{say, DAY_BLOCKS},
	error::CliError,
};
use hippius_chain_client::{
	money::{MoneyCall, Order, OrderRequest, OrderState},
	ss58, At, ChainClient, ChainView,
};
use hippius_primitives::money::Service;
use serde_json::{json, Value};

/// Longest description.
const MAX_SPEC: usize = 256;

impl Ordered {
	fn service(self) -> Service {
		match self {
			Self::S3 => Service::S3,
			Self::Ipfs => Service::Ipfs,
			Self::Compute => Service::Compute,
		}
	}
}

/// Days in blocks, rounded up.
fn blocks_of(days: f64) -> u32 {
	// At most 3650 days.
	(days * f64::from(DAY_BLOCKS)).ceil() as u32
}

pub(crate) async fn run(command: OrdersCommand, output: Output) -> Result<(), CliError> {
	match command {
		OrdersCommand::List(look) => {
			let who = look.account()?;
			let view = look.signer.connect().await?.at(At::Finalized).await?;
			let orders = view.orders_of(who).await?;
			let now = view.number();
			let list: Vec<Value> = orders
				.iter()
				.map(|(id, order)| show(*id, order, now))
				.collect();
			let text = match orders.is_empty() {
				true => "no orders".into(),
				false => lines(&orders, now),
			};
			say(
				output,
				json!({ "account": ss58(&who), "orders": list }),
				text,
			);
			Ok(())
		}
		OrdersCommand::Show { id, chain } => {
			let view = ChainClient::connect(&chain)
				.await?
				.at(At::Finalized)
				.await?;
			print_one(&view, id, output).await
		}
		OrdersCommand::Request {
			service,
			units,
			idle_units,
			days,
			spec,
			signer,
		} => {
			let request = request(service, units, idle_units, days, spec)?;
			let call = MoneyCall::Request(request.clone());
			let (view, who) = signer.submit(&[call]).await?;
			// The newest of the account's orders that is like it.
			let orders = view.orders_of(who).await?;
			let mine = orders
				.iter()
				.rev()
				.find(|(_, order)| order.request == request);
			match mine {
				Some((id, _)) => print_one(&view, *id, output).await,
				None => Err(CliError::Usage(
					"the order was made and has ended in the same block; `arion orders list` shows what is left".into(),
				)),
			}
		}
		OrdersCommand::Start(order) => change(&order, switch(&order, true), output).await,
		OrdersCommand::Stop(order) => change(&order, switch(&order, false), output).await,
		OrdersCommand::Renew { days, order } => {
			let blocks = blocks_of(days);
			let call = MoneyCall::Renew {
				id: order.id,
				blocks,
			};
			change(&order, call, output).await
		}
		OrdersCommand::Cancel(OrderArgs { id, signer }) => {
			signer.submit(&[MoneyCall::Cancel { id }]).await?;
			let value = json!({ "id": id, "state": "ended" });
			say(output, value, format!("order {id} has ended"));
			Ok(())
		}
	}
}

fn request(
	service: Ordered,
	units: u64,
	idle_units: Option<u64>,
	days: f64,
	spec: String,
) -> Result<OrderRequest, CliError> {
	if spec.len() > MAX_SPEC {
		return Err(CliError::Usage(format!(
			"--spec has {} bytes; at most {MAX_SPEC} fit",
			spec.len()
		)));
	}
	let idle_units = idle_units.unwrap_or(units);
	if units == 0 || idle_units > units {
		return Err(CliError::Usage(
			"--units must be at least 1, and --idle-units not more than that".into(),
		));
	}
	Ok(OrderRequest {
		service: service.service(),
		spec: spec.into_bytes(),
		units,
		idle_units,
		term: blocks_of(days),
	})
}

fn switch(order: &OrderArgs, running: bool) -> MoneyCall {
	MoneyCall::SetRunning {
		id: order.id,
		running,
	}
}

/// Makes a call about an order and shows what it is then.
async fn change(order: &OrderArgs, call: MoneyCall, output: Output) -> Result<(), CliError> {
	let signer: &AccountArgs = &order.signer;
	let (view, _) = signer.submit(&[call]).await?;
	print_one(&view, order.id, output).await
}

async fn print_one(view: &ChainView, id: u64, output: Output) -> Result<(), CliError> {
	let order = view.order(id).await?.ok_or_else(|| {
		CliError::Usage(format!(
			"there is no order {id}: it has ended, or never was"
		))
	})?;
	let now = view.number();
	say(output, show(id, &order, now), lines(&[(id, order)], now));
	Ok(())
}

/// A state's name and its node.
fn state(order: &Order) -> (&'static str, Option<u32>) {
	match order.state {
		OrderState::Requested { .. } => ("requested", None),
		OrderState::Assigned { node, .. } => ("assigned", Some(node)),
		OrderState::Active {
			node,
			running: true,
		} => ("running", Some(node)),
		OrderState::Active {
			node,
			running: false,
		} => ("stopped", Some(node)),
	}
}

/// Descriptions are others' bytes: text only if it is some, else hexadecimal digits.
fn spec(bytes: &[u8]) -> String {
	match std::str::from_utf8(bytes) {
		Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
		_ => format!("0x{}", hex::encode(bytes)),
	}
}

fn show(id: u64, order: &Order, now: u32) -> Value {
	let (state, node) = state(order);
	json!({
		"id": id,
		"owner": ss58(&order.owner),
		"service": service_name(order.request.service),
		"state": state,
		"node": node,
		"units": order.request.units,
		"idle_units": order.request.idle_units,
		"until": order.until,
		"blocks_left": order.until.saturating_sub(now),
		"attempts": order.attempts,
		"spec": spec(&order.request.spec),
	})
}

fn lines(orders: &[(u64, Order)], now: u32) -> String {
	let line = |(id, order): &(u64, Order)| {
		let (state, node) = state(order);
		let node = node.map_or(String::new(), |node| format!(" on node {node}"));
		let left = f64::from(order.until.saturating_sub(now)) / f64::from(DAY_BLOCKS);
		format!(
			"{id:>6}  {:<7} {state}{node}, {} units, {left:.2} days left  {}",
			service_name(order.request.service),
			order.request.units,
			spec(&order.request.spec)
		)
		.trim_end()
		.to_owned()
	};
	orders.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	fn order(state: OrderState, spec: &[u8]) -> Order {
		Order {
			owner: [1; 32],
			request: OrderRequest {
				service: Service::S3,
				spec: spec.to_vec(),
				units: 100,
				idle_units: 10,
				term: 14_400,
			},
			state,
			until: 14_500,
			passed: Vec::new(),
			attempts: 2,
		}
	}

	#[test]
	fn orders_are_shown_and_their_text_cannot_drive_the_terminal() {
		let active = |running| OrderState::Active { node: 7, running };
		let text = lines(&[(3, order(active(true), b"bucket"))], 100);
		assert_eq!(
			text,
			"     3  s3      running on node 7, 100 units, 1.00 days left  bucket"
		);
		let value = show(3, &order(active(false), b"\x1b[31m"), 100);
		assert_eq!(value["state"], "stopped");
		assert_eq!(value["spec"], "0x1b5b33316d");
		assert_eq!(value["blocks_left"], 14_400);
		let waiting = order(OrderState::Requested { since: 1 }, &[0xff]);
		assert_eq!(show(3, &waiting, 99_999)["blocks_left"], 0);
		assert!(lines(&[(3, waiting)], 0).contains("requested, 100"));
	}

	#[test]
	fn requests_that_make_no_sense_are_not_sent() {
		let made = request(Ordered::Ipfs, 5, None, 0.5, "cid".into()).unwrap();
		assert_eq!((made.idle_units, made.term), (5, 7_200));
		assert_eq!(made.service, Service::Ipfs);
		for (units, idle, spec) in [(0, None, ""), (5, Some(6), ""), (5, None, "x")] {
			let spec = spec.repeat(257);
			assert!(request(Ordered::S3, units, idle, 1.0, spec).is_err());
		}
		assert_eq!(blocks_of(0.00001), 1);
	}
}
