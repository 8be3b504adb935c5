-- name: union_all
SELECT region, qty FROM source.sales WHERE flag
UNION ALL SELECT region, 0 AS qty FROM source.customers;
-- name: union_distinct
SELECT region FROM source.sales UNION SELECT name FROM source.customers;
-- name: union_by_name
SELECT region, qty FROM source.sales UNION ALL BY NAME SELECT name, region FROM source.customers;
-- name: union_by_name_distinct
SELECT qty, region FROM source.sales UNION BY NAME SELECT region, kind AS qty
FROM source.customers, source.items;
-- name: intersect
SELECT customer_id FROM source.sales INTERSECT SELECT customer_id FROM source.customers;
-- name: except
SELECT customer_id FROM source.customers EXCEPT SELECT customer_id FROM source.sales WHERE flag;
-- name: except_all
SELECT region FROM source.sales EXCEPT ALL SELECT region FROM source.customers;
-- name: intersect_all
SELECT sku FROM source.sales INTERSECT ALL SELECT sku FROM source.items;
-- name: mixed_sets
(SELECT sku FROM source.sales UNION SELECT sku FROM source.items)
EXCEPT SELECT sku FROM source.rates;
-- name: union_limited
SELECT sale_id FROM source.sales UNION ALL SELECT box_id FROM source.boxes ORDER BY 1 LIMIT 7;
-- name: union_of_stars
SELECT * FROM source.nothing UNION ALL SELECT sale_id, amount, region FROM source.sales;
-- name: recursive
WITH RECURSIVE reach (node, depth) AS (
    SELECT dst, 1 FROM source.edges WHERE src = 1
    UNION
    SELECT e.dst, r.depth + 1 FROM reach AS r JOIN source.edges AS e ON e.src = r.node
    WHERE r.depth < 4
)
SELECT node, min(depth) AS depth FROM reach GROUP BY node;
-- name: recursive_all
WITH RECURSIVE walk AS (
    SELECT src, dst, 1 AS hops FROM source.edges
    UNION ALL
    SELECT w.src, e.dst, w.hops + 1 FROM walk AS w, source.edges AS e
    WHERE w.dst = e.src AND w.hops < 3
)
SELECT src, count(*) AS n, max(hops) AS far FROM walk GROUP BY src;
-- name: top_with_ties_cut
SELECT region, qty FROM source.sales ORDER BY qty DESC LIMIT 5;
-- name: top_total_order
SELECT sale_id, qty FROM source.sales ORDER BY qty DESC NULLS LAST, sale_id LIMIT 5;
-- name: any_rows
SELECT sale_id FROM source.sales LIMIT 5 OFFSET 2;
-- name: top_percent
SELECT sale_id, qty FROM source.sales ORDER BY ALL LIMIT 40%;
-- name: ordered_inside
SELECT region, count(*) AS n FROM (SELECT * FROM source.sales ORDER BY amount) GROUP BY region;
-- name: limited_inside
SELECT count(*) AS n, sum(qty) AS total
FROM (SELECT qty FROM source.sales ORDER BY qty LIMIT 6);
-- name: grouped_then_ordered
SELECT sku, count(*) AS n FROM source.sales GROUP BY sku ORDER BY n DESC, sku LIMIT 3;
