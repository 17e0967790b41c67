"""Tables, each with one statement on it and the index that it should be told to get, or none, and why.

Every case has a table of its own, made by MAKE unless it brings another, so that no index serves two cases.
`{t}` is the table. What is expected of PostgreSQL without HypoPG is a rule's choice; with it, the planner's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NONE = ""  # no finding
UNUSABLE = "-"  # a finding that proposes nothing: it says why what is there does not serve
ROWS = 20_000

# a: 5 rows a value; b: 200; c: a seventh of all; email: 5; status: nearly all are done; at: one a minute.
COLUMNS = f"""
    SELECT g AS id, g % 4000 AS a, g % 100 AS b, g % 7 AS c, g % 2 = 0 AS flag,
        'u' || g % 4000 AS email, ('k' || g % 4000)::varchar(20) AS code,
        CASE WHEN g % 200 = 0 THEN 'open' ELSE 'done' END AS status,
        timestamp '2024-01-01' + g * interval '1 minute' AS at, g % 500 AS day, repeat('x', 60) AS pad
    FROM generate_series(1, {ROWS}) g"""
MAKE = "CREATE TABLE {t} AS " + COLUMNS + "; ALTER TABLE {t} ADD PRIMARY KEY (id);"
FEW = MAKE.replace(str(ROWS), "300")
TINY = MAKE.replace(str(ROWS), "20")


def parent_and_child(make: str, *, index: bool = False) -> str:
    return (
        "CREATE TABLE {t}_parent (id int PRIMARY KEY);"
        "INSERT INTO {t}_parent SELECT generate_series(0, 4000);"
        + make
        + "ALTER TABLE {t} ADD FOREIGN KEY (a) REFERENCES {t}_parent;"
        + ("CREATE INDEX ON {t} (a);" if index else "")
    )


@dataclass(frozen=True)
class Case:
    name: str
    reason: str
    sql: str
    expect: str  # columns of the index as its DDL has them; NONE; UNUSABLE
    values: tuple[tuple[Any, ...], ...] = ((),)  # sets that the application uses, in turn
    make: str = MAKE
    hypopg: str | None = None  # where the planner knows better than the rule
    severity: tuple[str, ...] = ("medium", "high")
    says: tuple[str, ...] = ()  # in the finding's texts
    table: str = ""  # of the proposal, when it is not the case's own
    also: tuple[str, ...] = field(default=())  # statements of the same application, before this one
    times: int = 1

    def expected(self, *, hypopg: bool) -> str:
        return self.hypopg if hypopg and self.hypopg is not None else self.expect


SELECT = "SELECT id, pad FROM {t} WHERE "
LOW = ("low",)

CASES = (
    # --- an index is missing ---
    Case("equality", "five rows of all", SELECT + "a = %s", "a", ((5,), (7,), (9,))),
    Case("literal", "values in the text", SELECT + "a = 7", "a"),
    Case("text", "text is looked up as numbers are", SELECT + "email = %s", "email", (("u7",),)),
    Case("varchar", "its cast to text changes nothing", SELECT + "code = %s", "code", (("k7",),)),
    Case(
        "two",
        "the most distinct first; the second adds nothing",
        SELECT + "b = %s AND a = %s",
        "a, b",
        ((7, 7),),
        hypopg="a",
    ),
    Case("boolean", "a boolean comes last", SELECT + "flag AND a = %s AND flag = true", "a", ((8,),)),
    Case(
        "range", "equality before the range", SELECT + "day = %s AND at > %s", "day, at", ((7, "2024-01-13"),)
    ),
    Case("only-range", "a narrow range", SELECT + "at > %s", "at", (("2024-01-14 20:00",),)),
    Case(
        "between",
        "one column, two ends",
        SELECT + "at BETWEEN %s AND %s",
        "at",
        (("2024-01-05 00:00", "2024-01-05 00:20"),),
    ),
    Case("in-list", "a list is some equalities", SELECT + "a IN (1, 2, 3)", "a"),
    Case("any-array", "so is an array", SELECT + "a = ANY (%s)", "a", (([1, 2],),)),
    Case("like-prefix", "a prefix in a database of collation C", SELECT + "email LIKE 'u123%%'", "email"),
    Case(
        "lower",
        "the call is the index's expression",
        SELECT + "lower(email) = %s",
        "lower(email)",
        (("u7",),),
    ),
    Case(
        "join",
        "the side that filters",
        "SELECT x.id, y.pad FROM {t} x JOIN {t} y ON y.id = x.c WHERE x.a = %s",
        "a",
        ((5,),),
    ),
    Case("aggregate", "below an aggregate", "SELECT count(*), max(at) FROM {t} WHERE a = %s", "a", ((5,),)),
    Case(
        "subquery",
        "in a subquery",
        "SELECT id FROM {t} WHERE id = (SELECT min(b) FROM {t} y WHERE y.a = %s)",
        "a",
        ((5,),),
    ),
    Case(
        "cte",
        "behind WITH",
        "WITH found AS MATERIALIZED (SELECT id FROM {t} WHERE a = %s) SELECT * FROM found",
        "a",
        ((5,),),
    ),
    Case("delete-filter", "a DELETE filters too", "DELETE FROM {t} WHERE a = %s", "a", ((-5,),)),
    Case(
        "never-analysed",
        "no statistics: the planner's own guess",
        SELECT + "a = %s",
        "a",
        ((5,),),
        MAKE.replace("AS \n", "WITH (autovacuum_enabled = off) AS \n") + "--unanalysed",
    ),
    # --- order ---
    Case(
        "latest", "the first of an order needs no sort", "SELECT id FROM {t} ORDER BY at DESC LIMIT 10", "at"
    ),
    Case(
        "latest-of", "equality, then the order", SELECT + "b = %s ORDER BY at DESC LIMIT 10", "b, at", ((5,),)
    ),
    Case(
        "mixed-order",
        "directions that differ",
        "SELECT id FROM {t} ORDER BY c, at DESC LIMIT 10",
        "c, at DESC",
    ),
    Case(
        "few-to-sort",
        "what is left is fewer than wanted",
        SELECT + "a = %s ORDER BY at LIMIT 20",
        "a",
        ((5,),),
    ),
    Case(
        "latest-of-indexed",
        "an index on the filter alone leaves a sort of many",
        SELECT + "c = %s ORDER BY at DESC LIMIT 5",
        "c, at",
        ((3,),),
        MAKE + "CREATE INDEX ON {t} (c);",
    ),
    Case(
        "order-there",
        "the index has the order",
        "SELECT id FROM {t} ORDER BY at DESC LIMIT 10",
        NONE,
        make=MAKE + "CREATE INDEX ON {t} (at);",
    ),
    Case("order-all", "all rows are wanted: a sort is right", "SELECT id FROM {t} ORDER BY at", NONE),
    Case(
        "order-expression",
        "no order of the type's own",
        'SELECT id FROM {t} ORDER BY email COLLATE "POSIX" LIMIT 5',
        NONE,
    ),
    # --- an index is there ---
    Case("key", "the primary key", SELECT + "id = %s", NONE, ((5,),)),
    Case("existing", "it has its index", SELECT + "a = %s", NONE, ((5,),), MAKE + "CREATE INDEX ON {t} (a);"),
    Case(
        "existing-wider",
        "a wider one begins with it",
        SELECT + "a = %s",
        NONE,
        ((5,),),
        MAKE + "CREATE INDEX ON {t} (a, b);",
    ),
    Case(
        "existing-last",
        "as the last column of a wide index it is of no use",
        SELECT + "a = %s",
        "a",
        ((5,),),
        MAKE + "CREATE INDEX ON {t} (pad, at, a);",
    ),
    Case(
        "existing-hash",
        "a hash index serves equality",
        SELECT + "a = %s",
        NONE,
        ((5,),),
        MAKE + "CREATE INDEX ON {t} USING hash (a);",
    ),
    Case(
        "hash-range",
        "but no range",
        SELECT + "at > %s",
        "at",
        (("2024-01-14 20:00",),),
        MAKE + "CREATE INDEX {t}_hash ON {t} USING hash (at);",
        says=("{t}_hash is a hash index",),
    ),
    Case(
        "partial-serves",
        "its condition is the filter's",
        SELECT + "a = %s AND status = 'open'",
        NONE,
        ((5,),),
        MAKE + "CREATE INDEX ON {t} (a) WHERE status = 'open';",
    ),
    Case(
        "partial-other",
        "its condition is another",
        SELECT + "a = %s",
        "a",
        ((5,),),
        MAKE + "CREATE INDEX {t}_part ON {t} (a) WHERE status = 'open';",
        says=("{t}_part is partial",),
    ),
    Case(
        "invalid",
        "what CREATE INDEX CONCURRENTLY left",
        SELECT + "a = %s",
        "a",
        ((5,),),
        MAKE + "CREATE INDEX {t}_broken ON {t} (a);--invalid {t}_broken",
        says=("{t}_broken is not valid",),
    ),
    Case(
        "expression-there",
        "indexed as it is compared",
        SELECT + "lower(email) = %s",
        NONE,
        (("u7",),),
        MAKE + "CREATE INDEX ON {t} (lower(email));",
    ),
    Case(
        "expression-other",
        "the column is indexed, its call is compared",
        SELECT + "upper(email) = %s",
        "upper(email)",
        (("U7",),),
        MAKE + "CREATE INDEX {t}_email ON {t} (email);",
        says=("exists but unused: {t}_email",),
    ),
    Case(
        "cast",
        "a numeric compared with an integer column",
        SELECT + "a = 5.0",
        UNUSABLE,
        make=MAKE + "CREATE INDEX {t}_a ON {t} (a);",
        says=("a is int4 but compared as numeric",),
    ),
    Case(
        "arithmetic",
        "the column inside an expression",
        SELECT + "a + 0 = %s",
        UNUSABLE,
        ((5,),),
        MAKE + "CREATE INDEX {t}_a ON {t} (a);",
        says=("a is compared inside an expression",),
    ),
    # --- no index would help ---
    Case("most-rows", "nearly all rows are kept", SELECT + "status = 'done'", NONE),
    Case("seventh", "a seventh is too many for an index", SELECT + "c = %s", NONE, ((3,),)),
    Case("suffix", "no index serves a suffix", SELECT + "email LIKE '%%99'", NONE),
    Case("or-other-columns", "two columns, either", SELECT + "a = 5 OR b > 98", NONE),
    Case("no-filter", "all of it is wanted", "SELECT count(*) FROM {t}", NONE),
    Case(
        "catalog",
        "the server's own tables",
        "SELECT count(*) FROM pg_class WHERE relpages > 100000 AND %s",
        NONE,
        ((True,),),
    ),
    # --- skew ---
    Case(
        "rare-value",
        "a value that few rows have",
        SELECT + "status = %s AND pad LIKE '%%x'",
        "status",
        (("open",), ("none",)),
    ),
    Case(
        "common-value",
        "the values asked for are common",
        SELECT + "status = %s AND pad <> ''",
        NONE,
        (("done",), ("done",)),
    ),
    Case(
        "mixed-values",
        "of the values asked for one is rare",
        SELECT + "status = %s AND id <> 0",
        "status",
        (("open",), ("done",)),
        says=("1 of the 2 sets of values",),
    ),
    # --- little data ---
    Case("tiny", "a page of rows may stay one", SELECT + "email = %s", NONE, (("u7",),), TINY),
    Case(
        "few-rows",
        "structure, said so",
        SELECT + "email = %s",
        "email",
        (("u7",),),
        FEW,
        severity=LOW,
        says=("little data here", "enable_seqscan=off"),
    ),
    Case(
        "few-rows-indexed",
        "nothing is missing",
        SELECT + "email = %s",
        NONE,
        (("u7",),),
        FEW + "CREATE INDEX ON {t} (email);",
    ),
    Case("few-rows-most", "most of few", SELECT + "status = %s", NONE, (("done",),), FEW),
    Case(
        "few-rows-reference",
        "a foreign key is followed",
        SELECT + "a = %s",
        "a",
        ((5,),),
        parent_and_child(TINY),
        severity=LOW,
        says=("Foreign key without an index", "enable_seqscan=off"),
    ),
    # --- foreign keys ---
    Case(
        "delete-parent",
        "each delete looks for children",
        "DELETE FROM {t}_parent WHERE id = %s",
        "a",
        ((-1,),),
        parent_and_child(MAKE),
        says=("Foreign key without an index", "for each row that it deletes"),
    ),
    Case(
        "delete-parent-few",
        "a few children",
        "DELETE FROM {t}_parent WHERE id = %s",
        "a",
        ((-1,),),
        parent_and_child(FEW),
        severity=("medium",),
        says=("little data here",),
    ),
    Case(
        "delete-indexed-parent",
        "the children have an index",
        "DELETE FROM {t}_parent WHERE id = %s",
        NONE,
        ((-1,),),
        parent_and_child(MAKE, index=True),
    ),
    # --- writes ---
    Case(
        "write-heavy",
        "writes pay for it",
        SELECT + "a = %s",
        "a",
        ((5,),),
        severity=("low", "medium"),
        says=("each write pays for the index",),
        also=("INSERT INTO {t} (id, a) VALUES ((SELECT max(id) + 1 FROM {t}), 1)",),
        times=40,
    ),
    # --- partitions ---
    Case(
        "partition",
        "the partition that is read",
        SELECT + "a = %s AND at >= '2024-01-01'",
        "a, at",
        ((5,),),
        "CREATE TABLE {t} (id int, a int, at timestamp, pad text) PARTITION BY RANGE (at);"
        "CREATE TABLE {t}_1 PARTITION OF {t} FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');"
        "INSERT INTO {t} SELECT id, a, at, pad FROM (" + COLUMNS + ") x;",
        table="{t}_1",
        hypopg="a",
    ),
    # --- names ---
    Case(
        "hostile-column",
        "quotes and markup in a column's name",
        'SELECT id FROM {t} WHERE "a""b; <script>" = %s',
        '"a""b; <script>"',
        ((5,),),
        MAKE + 'ALTER TABLE {t} RENAME a TO "a""b; <script>";',
    ),
    Case(
        "hostile-index",
        "and in an index's",
        SELECT + "a = %s",
        "a",
        ((5,),),
        MAKE + 'CREATE INDEX "{t}""; <b>\n--x" ON {t} (a) WHERE b = 1;',
        says=("<b>",),
    ),
    Case(
        "hostile-direction",
        "a name that reads like an order is not proposed",
        'SELECT id FROM {t} WHERE "a DESC" = %s',
        NONE,
        ((5,),),
        MAKE + 'ALTER TABLE {t} RENAME a TO "a DESC";',
    ),
)
