"""finance-alpaca: answers from a money forum (FiQA), and general Alpaca rows. English.

https://huggingface.co/datasets/gbharti/finance-alpaca - 68,912 rows, one split, not gated; MIT by the hub page (not
confirmed; FiQA and Stanford Alpaca, its sources, have terms of their own, Alpaca CC BY-NC 4.0).

What is odd about it, and what is done:
- Some 52,000 rows are general Alpaca rows (poems, resumes, code). Rows that are not about money are dropped (SET
  domain_filter=false keeps them): by the weights of their words, which finance_en.tsv lists, one for a word in the
  question and one for it in the answer, and a bonus for words that name money's things. tests/bench/finance_filter.py
  learns them from rows told by eye. Of rows that it had not seen it lost 4 of 865 FiQA rows (0.5 %), kept 21 of 33
  general rows about money, and with them 16 of 1,441 that are not: two fifths of the general rows it keeps.
- Answers that end in ":" have lost their list and are dropped.
- One row has no output; `text` is empty in every row and is left out.
- A question of FiQA comes with several answers: all of one question stay in the same split (SET answers=1 keeps one).
- Forum answers sometimes open with "From http://...": that opening goes, and so does a
  "[duplicate]" behind the question.
- In CSV versions an empty `input` reads as the number NaN: taken as empty.
"""

import functools
import re
from pathlib import Path

from converters.task import File, Options, Record, Row, Skip, Task, given_text, text

STRONG_WORDS = """
mortgage mortgages stock stocks bond bonds dividend dividends 401k 401ks ira iras roth etf etfs equity
equities securities broker brokers brokerage brokerages portfolio portfolios invest investing investor
investors investment investments invested inflation tax taxes taxable taxed taxation deductible deductibles
deduction deductions loan loans lender lenders debt debts credit creditor creditors bank banks banking
bankrupt bankruptcy finance finances financial financing financially currency currencies forex futures
shareholder shareholders ipo ipos nyse nasdaq treasury treasuries annuity annuities pension pensions gdp
monetary fiscal payroll refinance refinancing refinanced retirement irs accounting accountant accountants
invoice invoices invoicing insurance insured insurer insuring proprietor proprietorship llc salary salaries
paycheck paychecks savings money cheque cheques escrow landlord landlords lease leases leasing mileage
reimburse reimbursed reimbursement funds cosign cosigned hsa fsa ein ssn pan uan fdic vat vanguard paypal
windfall p/e 401(k) 403(b) straddle vested vesting earnings hedge valuation annuities payroll etf's
"""
STRONG = frozenset(STRONG_WORDS.split())
WORD = re.compile(r"\d{3}\([a-z]\)|[a-z]/[a-z]|[a-z][a-z0-9]+(?:'[a-z]+)?|\d{3}[a-z]|[$€£%]")
"""Words as they are weighed: 401(k) and P/E are one each."""
LOOKED_AT = 2_000
"""Characters of an answer that tell what it is about."""
BAR = 1.0
"""What question, answer and strong words together must come to in a row about money."""
MOST = 4.0
"""Log odds of a question, or of an answer, count up to this: a money forum's way of speaking is no subject."""
BONUS = ((2, 1), (1, 4))
"""What a strong word adds in a question, in an answer, and how many of them count."""
FORUM_TAG = re.compile(r"\s*\[(?:duplicate|closed|on hold)\]\s*$")
FROM_LINK = re.compile(r"^\s*From\s*:?\s*https?://\S+\s*")


@functools.cache
def _weights() -> dict[str, tuple[float, float]]:
    """Return what each word says when it stands in a question, and in an answer; "" has what is said without any."""
    lines = Path(__file__).with_suffix(".tsv").read_text(encoding="utf-8").splitlines()
    return {word: (float(asked), float(told)) for word, asked, told in (line.split("\t") for line in lines)}


def log_odds(text_: str, part: int) -> float:
    """Return the log odds that a row is about money, by the words of its question (part 0) or answer (part 1)."""
    weights = _weights()
    words = {"", *WORD.findall(text_[:LOOKED_AT].lower())}
    return sum(weights[word][part] for word in words if word in weights)


def is_finance(question: str, answer: str) -> bool:
    """Tell whether a row is about money."""
    total = 0.0
    for part, (text_, (bonus, most)) in enumerate(zip((question, answer), BONUS, strict=True)):
        strong = len(STRONG.intersection(WORD.findall(text_[:LOOKED_AT].lower())))
        total += min(log_odds(text_, part), MOST) + bonus * min(strong, most)
    return total >= BAR


def convert(row: Row, file: str, options: Options) -> Record:
    """Return the row without `text`, unless it has nothing to do with money."""
    instruction, given = FORUM_TAG.sub("", text(row, "instruction")), given_text(text(row, "input"))
    answer = FROM_LINK.sub("", text(row, "output"))
    record = Record(instruction, given, answer)
    if options["domain_filter"] and not is_finance(f"{instruction} {given}", answer):
        raise Skip("domain", "not about money", record)
    if answer.rstrip().endswith(":"):
        raise Skip("boilerplate", "its list is lost", record)
    return record


TASK = Task(
    name="finance_en",
    title="finance-alpaca, English personal finance",
    language="en",
    domain="finance",
    hub="gbharti/finance-alpaca",
    url="https://huggingface.co/datasets/gbharti/finance-alpaca",
    licence="MIT (hub page, unconfirmed)",
    rows=68_912,
    files=(File("Cleaned_date.json", ("instruction", "input", "output")),),
    convert=convert,
    system="You are a knowledgeable financial assistant. Give accurate answers and name the risks.",
    defaults={"min_output": 20},
    options={"domain_filter": True},
    option_help={"domain_filter": "drop the general Alpaca rows that are not about money"},
)
