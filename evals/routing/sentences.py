"""What an engineer on call types, and which tool should answer.

Written before any of them was ranked, from the catalogue of tools alone; none shares two words in a row (stop
words apart) with a name or a description, which a test checks. Three are the guide's own. `HELD_OUT` were
written at the same time and descriptions were never bettered for them.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence. `right`: each of these is a right first answer; empty where the question is not ours."""

    text: str
    right: tuple[str, ...]


GUIDE: Final = (
    Sentence("Analyze the cause of Pod CrashLoopBackOff", ("diagnose",)),
    # The guide sends it to AWS's own server for everything: no tool of ours may claim it.
    Sentence("Deploy a static site to S3 and connect CloudFront", ()),
    Sentence("Analyze the cause of last week's cost spike and metric anomalies", ("explain_cost_change",)),
)
SENTENCES: Final = (
    *GUIDE,
    Sentence("Which of our clusters fall out of support this year?", ("list_clusters",)),
    Sentence("Show me the pods in production that are not healthy", ("list_resources", "diagnose")),
    Sentence("What did the payment pod print before it died?", ("get_pod_logs",)),
    Sentence("Did anybody touch something in staging since lunch?", ("list_changes",)),
    Sentence("Empty node ip-10-0-1-42 so that I can replace it", ("plan_node_change",)),
    Sentence("Give checkout three more replicas", ("plan_workload_change",)),
    Sentence("Is this deployment YAML safe to ship?", ("scan_manifest",)),
    Sentence("Upgrade CoreDNS on the dev cluster", ("plan_addon_change",)),
    Sentence("Go ahead with the plan that Minji approved", ("execute_plan",)),
    Sentence("That change made it worse, take it back", ("undo_action",)),
    Sentence("How much memory did user-api need at the 99th percentile this week?", ("query_metrics",)),
    Sentence("What kinds of error lines does the orders API write most?", ("analyze_logs",)),
    Sentence("Which hop makes checkout requests slow?", ("analyze_traces",)),
    Sentence("What is firing at this moment, and which of it belongs together?", ("list_alarms",)),
    Sentence("Does the memory of user-api grow as if it leaked?", ("detect_anomalies",)),
    Sentence("Will we have enough pods for Monday morning's rush?", ("forecast_metric",)),
    Sentence("Where could we cut what we pay for idle nodes?", ("recommend_savings",)),
    Sentence("What will this HPA change add to the bill?", ("estimate_cost",)),
    Sentence("Intermittent 504s since noon, why?", ("investigate",)),
    Sentence("Did the new release of cart go well, or should it be taken off?", ("verify_deployment",)),
)
HELD_OUT: Final = (
    Sentence("How many nodes run in each zone of my-cluster?", ("describe_cluster",)),
    Sentence("Print the YAML of the ingress called web", ("get_resource",)),
    Sentence("What warnings did the scheduler throw for namespace batch?", ("list_events",)),
    Sentence("Why does the billing pod keep restarting?", ("diagnose",)),
    Sentence("Put this config map into production", ("plan_manifest",)),
    Sentence("How far has the drain that I began got?", ("get_action",)),
    Sentence("Count 502 lines per route with Logs Insights", ("query_logs",)),
    Sentence("How many failures can payments still afford this month?", ("get_service_health",)),
    Sentence("Compare latency of the hour before the rollout with the hour after", ("compare_windows",)),
    Sentence("Send our telemetry to Datadog instead of CloudWatch", ("generate_telemetry_config",)),
    Sentence("What did each team spend in October?", ("get_costs",)),
    Sentence("Why is the EC2 bill forty percent higher than the week before?", ("explain_cost_change",)),
    Sentence("What does an r5.2xlarge cost on spot in us-east-1?", ("list_prices",)),
    Sentence("Is there a runbook for full disks?", ("find_sops",)),
    Sentence("Play the disk pressure runbook on that node, with me approving", ("start_run",)),
    Sentence("Which step is the runbook stuck at?", ("get_run",)),
    Sentence("Stop the runbook that is on its way", ("control_run",)),
    Sentence("PagerDuty pushed this alert JSON, take it in", ("submit_event",)),
    Sentence("Write me an HPA and a NodePool that fit the shop's traffic", ("generate_config",)),
    Sentence("Have we seen this failure before, and did anything help?", ("search_incidents",)),
    Sentence("Rolling back fixed it: note that for next time", ("record_outcome",)),
    Sentence("How mature is our operation, and what is the next level?", ("get_report",)),
    Sentence("Find idle volumes and oversized requests that waste money", ("recommend_savings",)),
)
