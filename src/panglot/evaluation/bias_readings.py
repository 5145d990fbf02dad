"""What the bias figures are called, where they come from, and how to read them: one table."""

from dataclasses import dataclass

TOP = 10  # passages whose languages are counted
PATIENCE = 0.8  # of the reader whose attention is shared out
RECALL = 20  # passages in which the translations of an answer are looked for
DEPTH = 100  # passages of a list that are looked at: deeper ones get 2e-10 of the attention


@dataclass(frozen=True)
class Reading:
    """One bias figure.

    Attributes:
        title: short, for a table.
        formula: in words and signs.
        source: who defined it.
        fair: the value of a model without language bias; None where that depends on its quality too.
        sentence: how to read it.
    """

    title: str
    formula: str
    source: str
    fair: float | None
    sentence: str


READINGS: dict[str, Reading] = {
    "rank_distance": Reading(
        "rank distance",
        "worst minus best rank of a query's relevant passages in the pool of all languages",
        "Elmahdy, Lin and Ahmad 2024, arXiv 2408.10536",
        None,
        "Lower is better; it grows with language bias and with the pool, and at best it is the number of "
        "relevant passages minus 1.",
    ),
    "rank_distance_normalised": Reading(
        "rank distance / pool",
        "rank distance divided by the number of passages",
        "rank distance, over the size of the pool",
        None,
        "The part of the pool that lies between the first and the last translation of an answer; it can be "
        "compared across pools.",
    ),
    "max@r": Reading(
        "Max@R",
        "worst rank of a query's relevant passages in the pool of all languages, of queries with two or more",
        "arXiv 2604.05684",
        None,
        "How far down a reader has to go to see every translation of an answer; at best it is the number of "
        "relevant passages.",
    ),
    f"tlr@{RECALL}": Reading(
        f"TLR@{RECALL}",
        "share of a query's relevant passages in languages other than its own that are among the first "
        f"{RECALL} passages of all languages",
        "target-language recall: arXiv 2606.18801",
        None,
        f"Higher is better: more answers in other languages are among the first {RECALL} passages.",
    ),
    "language_preference_rate": Reading(
        "language preference rate",
        "of the queries with relevant passages in their own and in another language: the share in which the "
        "first relevant passage is in the query's own",
        "arXiv 2605.07249",
        None,
        "Without preference it is the share of the own language among the relevant passages, 1 / L with one "
        "in each of L languages; 1: a reader always meets the answer in the own language first.",
    ),
    "first_right_own": Reading(
        "first passage right, own language",
        "of the same queries: the share whose first passage is relevant and in the query's language",
        "four-way split of the first passage: arXiv 2605.07249",
        None,
        "The four shares of the first passage add up to 1.",
    ),
    "first_right_other": Reading(
        "first passage right, other language",
        "of the same queries: the share whose first passage is relevant and in another language",
        "arXiv 2605.07249",
        None,
        "Right answers that a reader of the query's language alone cannot read.",
    ),
    "first_wrong_own": Reading(
        "first passage wrong, own language",
        "of the same queries: the share whose first passage is not relevant and in the query's language",
        "arXiv 2605.07249",
        None,
        "Passages whose language may have counted more than their meaning.",
    ),
    "first_wrong_other": Reading(
        "first passage wrong, other language",
        "of the same queries: the share whose first passage is not relevant and in another language",
        "arXiv 2605.07249",
        None,
        "Errors that a preference for the query's language does not explain.",
    ),
    "own_language_wins": Reading(
        "own language ranks higher",
        "over pairs of equally relevant passages, one in the query's language and one in another: the share "
        "in which the own one ranks higher; U / (n m)",
        "Mann and Whitney 1947; Vargha and Delaney 2000 (measure A)",
        0.5,
        "0.5: the query's language does not matter; 1: a passage in the query's language always is above "
        "an equally relevant one in another.",
    ),
    "own_language_doublings": Reading(
        "own language, doublings",
        "over the same pairs: mean of log2(rank of the other / rank of the own)",
        "a log ratio of ranks, in base 2",
        0.0,
        "0: no preference; 1: a passage in another language is twice as deep as an equally relevant "
        "one in the query's language, 3: eight times.",
    ),
    f"own_language_excess@{TOP}": Reading(
        f"own language in the top {TOP}, excess",
        f"share of the query's language among the first {TOP} passages, minus its share of the relevant ones",
        "a share at the top against its target: Yang and Stoyanovich 2017, arXiv 1610.08559",
        None,
        f"Above 0: the query's language fills more of the first {TOP} places than its relevant "
        "passages would.",
    ),
    f"share_distance@{TOP}": Reading(
        f"languages in the top {TOP}, distance",
        f"half the sum over languages of |share among the first {TOP} passages - share of the relevant "
        "ones|, of the mean shares of each query language",
        "total variation distance of shares at the top (Yang and Stoyanovich 2017, arXiv 1610.08559)",
        None,
        f"The part of the first {TOP} places that would have to go to other languages to match where the "
        "relevant passages are.",
    ),
    "own_language_exposure": Reading(
        "attention to the own language, excess",
        f"share of attention (rank r gets {PATIENCE}^(r - 1)) that passages in the query's language get, "
        "minus the share under equal expected exposure",
        "Moffat and Zobel 2008; Diaz et al. 2020, arXiv 2004.13157",
        0.0,
        "Above 0: readers see more of the query's own language than if equally relevant passages had equal "
        "chances.",
    ),
    "exposure_distance": Reading(
        "attention, distance",
        "half the sum over languages of |share of attention - share under equal expected exposure|, of the "
        "mean shares of each query language",
        "Diaz et al. 2020, arXiv 2004.13157; over many queries as in Biega et al. 2018, arXiv 1805.01788",
        0.0,
        "The part of readers' attention that is given to the wrong languages; 0 if languages are treated "
        "alike over all queries (then some thousandths by chance).",
    ),
    f"peer@{DEPTH}": Reading(
        f"PEER@{DEPTH}, relevant",
        "p of a Kruskal-Wallis test over languages on the ranks of a query's passages of one relevance "
        f"level; mean over its levels above 0; ranks beyond {DEPTH} are tied",
        "Yang et al. 2024, arXiv 2405.00978",
        None,
        "Higher is fairer; near 0: passages of some language rank above equally relevant ones of others. "
        "Missing where no language has two relevant passages for a query: the test then says nothing.",
    ),
    f"peer_nonrelevant@{DEPTH}": Reading(
        f"PEER@{DEPTH}, not relevant",
        f"the same test on the passages among the first {DEPTH} that are not relevant (level 0)",
        "Yang et al. 2024, arXiv 2405.00978",
        None,
        "Higher is fairer; about 0.5 if languages are mixed at random, near 0 if passages that are not "
        "relevant are sorted by language.",
    ),
}
