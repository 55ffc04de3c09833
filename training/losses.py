"""Losses of the sequence models."""

from __future__ import annotations

from typing import Any

from keras import ops


def sampled_softmax(scores: Any, positive: Any, log_weight: Any, power: float = 0.0) -> Any:
    """Softmax over the whole catalogue, estimated from sampled negatives.

    The probability of each positive p of a group is ``exp(s_p) / (exp(s_p) + sum_n w_n exp(s_n))``
    over the group's negatives n, where ``w_n`` = 1 / (expected number of times that n is drawn) makes
    the sum an unbiased estimate of the sum over all items that are not in the basket (the logQ
    correction: Bengio and Senécal, 2008). The loss is minus the logarithm of the power mean of these
    probabilities, averaged over groups.

    Args:
        scores: (B, K).
        positive: (B, K), 1 at positives, 0 elsewhere.
        log_weight: (B, K), ``log w`` at negatives; very low where a column is not to count.
        power: 0 is the geometric mean, the usual cross-entropy, which asks for every item of the
            basket alike; 1 is the arithmetic mean, which asks for mass on any of them. In between
            is nearer to what a short list is judged by.
    """
    others = ops.where(positive > 0, -1e9, scores + log_weight)
    total = ops.logsumexp(others, axis=1, keepdims=True)
    log_probability = -ops.softplus(total - scores)
    counts = ops.sum(positive, axis=1)
    known = ops.cast(counts > 0, "float32")
    if power:
        raised = ops.where(positive > 0, power * log_probability, -1e9)
        mean = (ops.logsumexp(raised, axis=1) - ops.log(ops.maximum(counts, 1.0))) / power
    else:
        mean = ops.sum(log_probability * positive, axis=1) / ops.maximum(counts, 1.0)
    return -ops.sum(mean * known) / ops.maximum(ops.sum(known), 1.0)


def auxiliary(positive_logits: Any, negative_logits: Any, mask: Any) -> Any:
    """DIEN's auxiliary loss (arXiv 1809.03672, equation 4): the next event against a sampled one.

    ``-(log sigmoid(<h_t, e_{t+1}>) + log sigmoid(-<h_t, e'_{t+1}>))``, averaged over the steps that
    have a next event.

    Args:
        positive_logits: (B, T-1), state t with the event that came next.
        negative_logits: (B, T-1), state t with an event that did not come.
        mask: (B, T), True at events.
    """
    both = ops.cast(ops.logical_and(mask[:, :-1], mask[:, 1:]), "float32")
    loss = ops.softplus(-positive_logits) + ops.softplus(negative_logits)
    return ops.sum(loss * both) / ops.maximum(ops.sum(both), 1.0)
