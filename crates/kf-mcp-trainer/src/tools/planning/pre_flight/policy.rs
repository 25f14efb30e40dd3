//! What the operator's policy says of the submit.

use std::collections::BTreeMap;

use kf_mcp_core::Cx;

use super::PreFlight;
use crate::devices::cost;
use crate::preflight::Report;
use crate::quota::Demand;

impl PreFlight {
    /// Whether this caller may submit at all, and so much.
    pub(super) fn judge_policy(&self, cx: &Cx, demand: Option<&Demand>, report: &mut Report) {
        let tool = if self.model.is_empty() {
            "run_custom_training"
        } else {
            "fine_tune"
        };
        if let Some(hidden) = cx.catalogue().hidden(tool) {
            let refusal = &hidden.refusal;
            report.warnings.push(format!(
                "you cannot submit it here with {tool}: {}; {}",
                refusal.why, refusal.fix
            ));
        }
        let Some(demand) = demand else { return };
        let each = demand.each.iter().map(|(resource, amount)| {
            let count = u64::try_from(amount.whole()).unwrap_or_default();
            (resource.clone(), count)
        });
        let each: BTreeMap<String, u64> = each.collect();
        if let Err(refusal) = cx.allowance().cost(&cost(u64::from(self.num_workers), &each)) {
            report.block("policy", "submit a job of that size", refusal.why, refusal.fix);
        }
    }
}
