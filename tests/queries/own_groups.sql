-- name: grouped
SELECT region, count(*) AS n, count(amount) AS known, sum(qty) AS total, avg(price) AS mean,
    max(amount) AS top
FROM source.sales GROUP BY region HAVING count(*) > 1;
-- name: group_by_position
SELECT region, sku, sum(qty) AS total FROM source.sales GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2;
-- name: group_by_all
SELECT region, flag, count(DISTINCT qty) AS kinds FROM source.sales GROUP BY ALL;
-- name: group_by_alias
SELECT upper(region) AS area, sum(price) AS total FROM source.sales GROUP BY area;
-- name: rollup
SELECT region, sku, grouping(region) AS level, sum(qty) AS total
FROM source.sales GROUP BY ROLLUP (region, sku);
-- name: cube
SELECT region, flag, count(*) AS n FROM source.sales GROUP BY CUBE (region, flag);
-- name: grouping_sets
SELECT region, flag, sku, count(*) AS n
FROM source.sales GROUP BY GROUPING SETS ((region), (flag, sku), ());
-- name: filtered
SELECT region, count(*) FILTER (WHERE qty > 2) AS many, sum(qty) FILTER (flag) AS flagged
FROM source.sales GROUP BY region;
-- name: ordered_aggregates
SELECT region, string_agg(sku, ',' ORDER BY sku, sale_id) AS skus,
    list(qty ORDER BY qty NULLS FIRST) AS quantities, arg_max(sku, sale_id) AS last_sku
FROM source.sales GROUP BY region;
-- name: unordered_aggregates
SELECT region, string_agg(sku, ',') AS skus, list(qty) AS quantities, first(sku) AS one
FROM source.sales GROUP BY region;
-- name: global_aggregate
SELECT count(*) AS n, sum(amount) AS total, min(region) AS low, bool_or(flag) AS some
FROM source.sales WHERE qty > 100;
-- name: nothing_aggregated
SELECT count(*) AS n, sum(amount) AS total FROM source.nothing;
-- name: nothing_grouped
SELECT region, count(*) AS n FROM source.nothing GROUP BY region;
-- name: distinct_rows
SELECT DISTINCT region, flag FROM source.sales WHERE qty > 0;
-- name: distinct_on
SELECT DISTINCT ON (region) region, sale_id, amount
FROM source.sales ORDER BY region, sale_id DESC;
-- name: distinct_on_ties
SELECT DISTINCT ON (region) region, qty, sku FROM source.sales ORDER BY region, qty;
-- name: pivoted
PIVOT source.sales ON region IN ('a', 'A', 'b') USING sum(qty) GROUP BY sku;
-- name: pivot_in_from
SELECT * FROM (SELECT sku, region, qty FROM source.sales)
PIVOT (count(qty) FOR region IN ('a', 'b')) AS p;
-- name: unpivoted
SELECT sale_id, name, value
FROM (SELECT sale_id, qty, customer_id FROM source.sales)
UNPIVOT (value FOR name IN (qty, customer_id));
-- name: distinct_values
SELECT count(DISTINCT region) AS regions, count(DISTINCT amount) AS amounts FROM source.sales;
-- name: float_sums
SELECT region, sum(amount) AS total, avg(amount) AS mean, stddev(qty) AS spread
FROM source.sales GROUP BY region;
