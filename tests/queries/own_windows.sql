-- name: ranked
SELECT sale_id, region, row_number() OVER (PARTITION BY region ORDER BY qty, sale_id) AS place,
    rank() OVER (PARTITION BY region ORDER BY qty) AS standing,
    sum(qty) OVER (PARTITION BY region ORDER BY sale_id
        ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS running
FROM source.sales;
-- name: tied_row_number
SELECT sale_id, row_number() OVER (PARTITION BY region ORDER BY qty) AS place FROM source.sales;
-- name: qualified
SELECT sale_id, region, qty FROM source.sales
QUALIFY row_number() OVER (PARTITION BY region ORDER BY sale_id DESC) = 1;
-- name: qualify_alias
SELECT sale_id, rank() OVER (ORDER BY qty DESC NULLS LAST) AS place
FROM source.sales QUALIFY place <= 3;
-- name: named_window
SELECT sale_id, lag(qty) OVER w AS before, lead(qty, 1, 0) OVER w AS after,
    first_value(sku) OVER w AS head
FROM source.sales WINDOW w AS (PARTITION BY region ORDER BY sale_id);
-- name: range_frame
SELECT sale_id, count(*) OVER (ORDER BY qty RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS near,
    max(amount) OVER (PARTITION BY flag) AS top
FROM source.sales WHERE qty IS NOT NULL;
-- name: window_over_groups
SELECT region, sum(qty) AS total, sum(sum(qty)) OVER () AS everything,
    dense_rank() OVER (ORDER BY sum(qty) DESC) AS place
FROM source.sales GROUP BY region;
-- name: nulls_first
SELECT sale_id, ntile(3) OVER (ORDER BY amount NULLS FIRST, sale_id) AS third FROM source.sales;
-- name: best_per_group
WITH ranked AS (
    SELECT *, row_number() OVER (PARTITION BY region ORDER BY amount DESC, sale_id) AS place
    FROM source.sales
)
SELECT sale_id, region, amount FROM ranked WHERE place <= 2;
