"""What an engineer on call types, and which tool should answer.

`SENTENCES` and `SECOND` were written before any of them was ranked, from the catalogue of tools alone; of
`SENTENCES` none shares two words in a row (stop words apart) with a name or description, which a test checks.
Three are the guide's own. `HELD_OUT` were written later by somebody who had seen the names of the tools only;
descriptions were never bettered for them.
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
SECOND: Final = (
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
HELD_OUT: Final = (
    Sentence(
        "checkout-api in namespace shop has been stuck in CrashLoopBackOff since about 14:20, can you"
        " work out what's wrong with it?",
        ("diagnose",),
    ),
    Sentence(
        "What Kubernetes version is prod-euw1 on, and is its API endpoint public?",
        ("describe_cluster",),
    ),
    Sentence(
        "show me all the deployments in the payments namespace on staging-use1",
        ("list_resources",),
    ),
    Sentence(
        "Give me the last 200 lines from ledger-worker-7c9d8f6b5-x2kqp, the previous container "
        "please, it just restarted",
        ("get_pod_logs",),
    ),
    Sentence(
        "Who touched anything in prod-euw1 between 09:00 and 10:30 this morning? Something got rolled"
        " out and nobody owns up to it.",
        ("list_changes",),
    ),
    Sentence(
        "I want to drain ip-10-42-17-203.eu-west-1.compute.internal before the hardware retirement "
        "tonight. Prepare it but don't do it yet.",
        ("plan_node_change",),
    ),
    Sentence(
        "Need cart-service in shop to go from 4 to 10 replicas for the sale, show me what would happen first",
        ("plan_workload_change",),
    ),
    Sentence(
        "vpc-cni on staging-use1 is two minors behind, let's prepare moving it to the latest "
        "compatible version",
        ("plan_addon_change",),
    ),
    Sentence(
        "Before I merge this, check the attached YAML for the fraud-scorer deployment for anything "
        "insecure, like running as root or missing limits",
        ("scan_manifest",),
    ),
    Sentence(
        "That scale-up of cart-service you did ten minutes ago made things worse, put it back how it was.",
        ("undo_action",),
    ),
    Sentence(
        "p99 latency of search-gateway over the last 3 hours, 1 minute resolution",
        ("query_metrics",),
    ),
    Sentence(
        "we're getting thousands of error lines a minute from order-router since 02:10, group them "
        "into patterns and tell me which ones are new",
        ("analyze_logs",),
    ),
    Sentence(
        "Requests to /v2/quote take 6 seconds end to end. Which hop between the gateway and pricing-"
        "engine is eating the time?",
        ("analyze_traces",),
    ),
    Sentence(
        "anything firing right now in prod-euw1?",
        ("list_alarms",),
    ),
    Sentence(
        "At the current growth rate, when does the volume behind kafka-broker-2 fill up?",
        ("forecast_metric",),
    ),
    Sentence(
        "How do error rate and CPU for notifications-svc look from 13:00 to 14:00 today against the "
        "same hour last Tuesday?",
        ("compare_windows",),
    ),
    Sentence(
        "How much did we spend on the data-platform namespace in May, split by team label?",
        ("get_costs",),
    ),
    Sentence(
        "Our EKS bill jumped about 30% last week compared to the week before and finance is asking why",
        ("explain_cost_change",),
    ),
    Sentence(
        "Where are we wasting money on prod-use1? Looking for oversized pods, idle nodes, that kind "
        "of thing.",
        ("recommend_savings",),
    ),
    Sentence(
        "do we have a written procedure for a node going NotReady because of disk pressure?",
        ("find_sops",),
    ),
    Sentence(
        "Pause the certificate rotation procedure that's on step 4, I need to check with the security"
        " team before it goes on.",
        ("control_run",),
    ),
    Sentence(
        "Have we seen CoreDNS timeouts like this on prod-euw1 before, and what fixed it that time?",
        ("search_incidents",),
    ),
    Sentence(
        "Note for the books: Thursday's inventory-sync outage was caused by an expired IRSA trust "
        "policy, recreating the role fixed it, so your suggested root cause was right",
        ("record_outcome",),
    ),
)
