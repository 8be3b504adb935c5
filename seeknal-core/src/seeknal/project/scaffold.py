"""What `seeknal init` writes: a small project with a node in each form, and data to run it on."""

from __future__ import annotations

from pathlib import Path

from seeknal.files import write_new_folder
from seeknal.names import check_name

_FILES = {
    "seeknal_project.yml": """\
name: {name}
version: 1.0.0
timezone: UTC
params:
  currency: EUR
""",
    ".gitignore": "target/\n",
    "data/orders.csv": """\
order_id,customer,ordered_on,amount
1,ada,2024-01-01,20.00
2,grace,2024-01-01,35.50
3,ada,2024-01-02,12.25
4,edsger,2024-01-02,80.00
5,grace,2024-01-03,5.75
""",
    "seeknal/sources/orders.yml": """\
kind: source
name: orders
description: Orders as the shop exports them
source: csv
table: data/orders.csv
columns:
  amount: {description: What was paid, dtype: "DECIMAL(10, 2)"}
""",
    "seeknal/transforms/daily_revenue.sql": """\
/*
---
description: Revenue a day
tags: [finance]
---
*/
SELECT
    ordered_on,
    count(*) AS orders,
    sum(amount) AS revenue,
    '{{{{ params.currency }}}}' AS currency
FROM ref('source.orders')
GROUP BY ordered_on
ORDER BY ordered_on
""",
    "seeknal/transforms/best_customers.py": '''\
from seeknal.pipeline import transform


@transform(description="Customers by what they spent", tags=["finance"])
def best_customers(ctx):
    orders = ctx.ref("source.orders")
    return ctx.duckdb.sql("""
        SELECT customer, sum(amount) AS spent
        FROM orders
        GROUP BY customer
        ORDER BY spent DESC
    """)
''',
}


def create_project(root: Path) -> Path:
    """Write a new project. Raises RequestError when there is something in its place."""
    name = check_name(root.name, "a project")
    write_new_folder(root, {path: _filled(text, name) for path, text in _FILES.items()})
    return root


def _filled(text: str, name: str) -> str:
    return text.format(name=name) if "{name}" in text or "{{" in text else text
