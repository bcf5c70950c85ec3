"""finance-alpaca: answers from a money forum (FiQA), and general Alpaca rows. English.

https://huggingface.co/datasets/gbharti/finance-alpaca - 68,912 rows, one split, not gated; MIT by the hub page (not
confirmed; FiQA and Stanford Alpaca, its sources, have terms of their own, Alpaca CC BY-NC 4.0).

What is odd about it, and what is done:
- Some 52,000 rows are general Alpaca rows (poems, resumes, code). Rows with no or few words of money in them are
  dropped (SET domain_filter=false keeps them).
- One row has no output; `text` is empty in every row and is left out.
- A question of FiQA comes with several answers: all of one question stay in the same split (SET answers=1 keeps one).
- Forum answers sometimes open with "From http://...": that opening goes, and so does a
  "[duplicate]" behind the question.
- In CSV versions an empty `input` reads as the number NaN: taken as empty.
"""

import re

from converters.task import File, Options, Record, Row, Skip, Task, text

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
windfall
"""
STRONG = frozenset(STRONG_WORDS.split())
WEAK_WORDS = """
pay paying payment payments check checks paid cost costs price prices priced pricing buy buying buyer buyers
sell selling seller sellers sold purchase purchased purchases purchasing rent rents rental income budget
budgets save saving cash fee fees profit profits loss losses market markets trade trades trader traders
trading asset assets account accounts deposit deposits withdraw withdrawal withdrawn economic economics
economy share shares wealth wealthy revenue revenues retire retired dollar dollars euro euros owner owners
business businesses company companies fund expense expenses expensive options option interest rates valuation
value yield contract
"""
WEAK = frozenset(WEAK_WORDS.split())
WORD = re.compile(r"[a-z0-9]+")
LOOKED_AT = 2_000
"""Characters of an answer that tell what it is about."""
NEEDED = 4
"""Points of a question that make its row one about money: 4 for a strong word, 2 for a weak one; of both together,
with half of that for words of the answer, twice as many are needed."""
FORUM_TAG = re.compile(r"\s*\[(?:duplicate|closed|on hold)\]\s*$")
FROM_LINK = re.compile(r"^\s*From\s*:?\s*https?://\S+\s*")


def is_finance(question: str, answer: str) -> bool:
    """Tell whether a row is about money, by the different money words in it."""
    asked = set(WORD.findall(question.lower()))
    points = 4 * len(asked & STRONG) + 2 * len(asked & WEAK)
    if points >= NEEDED:
        return True
    told = set(WORD.findall(answer[:LOOKED_AT].lower()))
    return points + 2 * len(told & STRONG) + len(told & WEAK) >= 2 * NEEDED


def convert(row: Row, file: str, options: Options) -> Record:
    """Return the row without `text`, unless it has nothing to do with money."""
    instruction, given = FORUM_TAG.sub("", text(row, "instruction")), text(row, "input")
    answer = FROM_LINK.sub("", text(row, "output"))
    if given.strip().lower() == "nan":
        given = ""
    if options["domain_filter"] and not is_finance(f"{instruction} {given}", answer):
        raise Skip("domain", "nothing about money in it")
    return Record(instruction, given, answer)


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
