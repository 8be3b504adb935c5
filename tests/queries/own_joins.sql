-- name: using_join
SELECT customer_id, name, sum(amount) AS total
FROM source.sales JOIN source.customers USING (customer_id) GROUP BY customer_id, name;
-- name: natural_join
SELECT * FROM source.sales NATURAL JOIN source.items;
-- name: natural_join_chosen
SELECT sku, title, rate FROM source.items NATURAL LEFT JOIN source.rates;
-- name: full_join
SELECT coalesce(s.customer_id, c.customer_id) AS id, s.sale_id, c.name
FROM source.sales AS s FULL JOIN source.customers AS c
    ON s.customer_id = c.customer_id AND s.region = c.region;
-- name: full_using
SELECT customer_id, s.sale_id, c.name
FROM source.sales AS s FULL OUTER JOIN source.customers AS c USING (customer_id);
-- name: left_join_filtered
SELECT s.sale_id, c.name FROM source.sales s LEFT JOIN source.customers c
    ON s.customer_id = c.customer_id WHERE c.score > 0 OR c.score IS NULL;
-- name: anti_by_null
SELECT s.sale_id FROM source.sales s LEFT JOIN source.customers c
    ON s.customer_id = c.customer_id WHERE c.customer_id IS NULL;
-- name: semi_join
SELECT sale_id, sku FROM source.sales SEMI JOIN source.items USING (sku);
-- name: anti_join
SELECT sale_id, sku FROM source.sales AS s ANTI JOIN source.items AS i ON s.sku = i.sku;
-- name: asof_join
SELECT s.sale_id, s.sku, r.rate FROM source.sales AS s
ASOF LEFT JOIN source.rates AS r ON s.sku = r.sku AND s.sold_on >= r.valid_from;
-- name: positional_join
SELECT a.src, b.kind FROM source.edges AS a POSITIONAL JOIN source.items AS b;
-- name: cross_join
SELECT i.sku, r.rate FROM source.items AS i CROSS JOIN source.rates AS r WHERE i.sku = r.sku;
-- name: lateral_top
SELECT c.customer_id, t.sale_id FROM source.customers AS c,
    LATERAL (SELECT s.sale_id FROM source.sales AS s WHERE s.customer_id = c.customer_id
        ORDER BY s.sale_id DESC LIMIT 2) AS t;
-- name: self_join
SELECT a.sale_id AS one, b.sale_id AS two FROM source.sales AS a JOIN source.sales AS b
    ON a.sku = b.sku AND a.sale_id < b.sale_id;
-- name: in_subquery
SELECT sale_id FROM source.sales
WHERE sku IN (SELECT sku FROM source.items WHERE kind > 1) AND customer_id NOT IN
    (SELECT customer_id FROM source.customers WHERE customer_id IS NOT NULL AND score < 0);
-- name: exists_subquery
SELECT c.name FROM source.customers AS c
WHERE EXISTS (SELECT 1 FROM source.sales AS s WHERE s.customer_id = c.customer_id AND s.qty > 1)
    AND NOT EXISTS (SELECT * FROM source.nothing AS n WHERE n.region = c.region);
-- name: scalar_subquery
SELECT sale_id, qty - (SELECT avg(qty) FROM source.sales AS x WHERE x.region = s.region) AS off
FROM source.sales AS s WHERE amount > (SELECT min(score) FROM source.customers);
-- name: quantified
SELECT sale_id FROM source.sales WHERE qty > ALL (SELECT kind FROM source.items WHERE kind < 3)
    OR qty = ANY (SELECT src FROM source.edges);
-- name: star
SELECT * FROM source.sales;
-- name: star_exclude
SELECT * EXCLUDE (amount, price) FROM source.sales WHERE qty > 1;
-- name: star_replace
SELECT * REPLACE (qty + 1 AS qty) FROM source.sales;
-- name: star_rename
SELECT * RENAME (qty AS quantity) FROM source.sales;
-- name: star_of_one
SELECT s.*, c.name FROM source.sales AS s JOIN source.customers AS c USING (customer_id);
-- name: two_stars
SELECT * FROM source.items AS i JOIN source.rates AS r ON i.sku = r.sku;
-- name: columns_pattern
SELECT COLUMNS('s.*_id|qty') FROM source.sales WHERE flag;
-- name: columns_lambda
SELECT max(COLUMNS(lambda c: c LIKE '%o%')) FROM source.customers;
-- name: columns_in_where
SELECT sku FROM source.items WHERE COLUMNS(* EXCLUDE (sku, title)) > 0;
-- name: from_first
FROM source.sales SELECT region, qty WHERE qty > 1;
-- name: only_from
FROM source.rates;
-- name: chained_ctes
WITH a AS (SELECT customer_id, sum(amount) AS total FROM source.sales GROUP BY customer_id),
b AS (SELECT c.region, a.total, a.customer_id FROM a JOIN source.customers AS c
    USING (customer_id) WHERE a.total > 0),
unused AS (SELECT * FROM source.items)
SELECT region, count(*) AS n, max(total) AS best FROM b GROUP BY region;
-- name: cte_of_stars
WITH base AS (SELECT * FROM source.sales), kept AS (SELECT * FROM base WHERE qty > 1)
SELECT * EXCLUDE (flag), qty * 2 AS twice FROM kept;
-- name: cte_read_twice
WITH totals AS (SELECT region, sum(qty) AS total FROM source.sales GROUP BY region)
SELECT a.region, a.total, b.total AS next FROM totals AS a LEFT JOIN totals AS b
    ON a.total < b.total;
-- name: cte_shadows_table
WITH items AS (SELECT sku, kind FROM source.items WHERE kind > 1)
SELECT s.sale_id, items.kind FROM source.sales AS s JOIN items ON s.sku = items.sku;
-- name: materialized_cte
WITH m AS MATERIALIZED (SELECT region, random() AS r FROM source.sales)
SELECT a.region, count(*) AS n FROM m AS a JOIN m AS b ON a.r = b.r GROUP BY a.region;
-- name: correlated_in_select
SELECT name, (SELECT count(*) FROM source.sales AS s WHERE s.customer_id = c.customer_id) AS n,
    (SELECT max(title) FROM source.items) AS top FROM source.customers AS c;
