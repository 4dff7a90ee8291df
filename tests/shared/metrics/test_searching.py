"""A misspelt metric has the right one among the first three (row S48)."""

import random
import string

import pytest

from aiops_shared.metrics.searching import ranked

# What an ordinary cluster exposes: names near to each other on purpose.
NAMES = (
    *("container_memory_working_set_bytes", "container_memory_rss", "container_memory_usage_bytes"),
    *("container_cpu_usage_seconds_total", "container_cpu_cfs_throttled_periods_total"),
    *("container_network_receive_bytes_total", "container_network_transmit_bytes_total"),
    *("kube_pod_container_resource_limits", "kube_pod_container_resource_requests", "kube_pod_info"),
    *("kube_pod_container_status_restarts_total", "kube_pod_container_status_waiting_reason"),
    *("kube_pod_owner", "kube_pod_labels", "kube_pod_status_phase", "kube_node_status_condition"),
    *("kube_deployment_status_replicas", "kube_horizontalpodautoscaler_status_current_replicas"),
    *("node_cpu_seconds_total", "node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes"),
    *("node_filesystem_avail_bytes", "node_filesystem_size_bytes", "node_network_receive_bytes_total"),
    *("http_requests_total", "http_request_duration_seconds_bucket", "http_request_duration_seconds_sum"),
    *("awscni_assigned_ip_addresses", "awscni_total_ip_addresses", "awscni_eni_allocated"),
    *("coredns_dns_request_duration_seconds_bucket", "coredns_dns_responses_total"),
    *("karpenter_nodes_created_total", "go_goroutines", "process_resident_memory_bytes", "up"),
)


def misspelt(name: str, rng: random.Random) -> str:
    """One or two slips of the hand: a letter dropped, doubled, swapped or changed, a word or suffix lost."""
    text = list(name)
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(1, len(text) - 1)
        match rng.randrange(5):
            case 0:
                del text[at]
            case 1:
                text.insert(at, text[at])
            case 2:
                text[at], text[at - 1] = text[at - 1], text[at]
            case 3:
                text[at] = rng.choice(string.ascii_lowercase)
            case _:
                text = list("".join(text).replace("_", rng.choice(["", "-", ".", " "]), 1))
    return "".join(text)


@pytest.mark.row("S48")
def test_a_slip_of_the_hand_still_finds_the_metric() -> None:
    rng = random.Random(48)
    for name in NAMES:
        if len(name) < 4:
            continue
        for _ in range(30):
            wrong = misspelt(name, rng)
            assert name in [found for found, _ in ranked(wrong, NAMES, 3)], wrong


@pytest.mark.row("S48")
@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("memory working set", "container_memory_working_set_bytes"),
        ("pod restarts", "kube_pod_container_status_restarts_total"),
        ("dns latency duration", "coredns_dns_request_duration_seconds_bucket"),
        ("HTTP requests", "http_requests_total"),
        ("free disk filesystem avail", "node_filesystem_avail_bytes"),
        ("containerMemoryRss", "container_memory_rss"),
        ("cpu throttled", "container_cpu_cfs_throttled_periods_total"),
    ],
)
def test_words_in_any_order_find_the_metric(words: str, name: str) -> None:
    assert name in [found for found, _ in ranked(words, NAMES, 3)]


def test_no_words_give_the_first_by_the_alphabet() -> None:
    assert [name for name, _ in ranked(" ", ["b", "a", "c"], 2)] == ["a", "b"]
    assert ranked("x", [], 3) == ()
