-- name: filter_and_compute
SELECT sale_id, amount + qty AS total, price * qty AS cost
FROM source.sales
WHERE region = 'a' AND qty > 2 OR flag;
-- name: three_valued
SELECT sale_id, amount > 0 AS positive, NOT flag AS off, region <> 'a' AS other,
    region IS DISTINCT FROM 'a' AS really_other
FROM source.sales
WHERE region NOT IN ('b', 'B ') AND (flag IS NULL OR qty BETWEEN 1 AND 4);
-- name: case_and_casts
SELECT sale_id, CASE region WHEN 'a' THEN 1 WHEN 'A' THEN 2 ELSE 0 END AS code,
    CAST(amount AS INTEGER) AS whole, qty::VARCHAR AS text, TRY_CAST(region AS INTEGER) AS number,
    CAST(price AS DECIMAL(12, 1)) AS rounded
FROM source.sales
WHERE amount < 1000 AND amount > -1000;
-- name: doubles
SELECT amount, amount + 0 AS plus, amount * -1 AS negated, 1 / NULLIF(amount, 0) AS inverse,
    (amount + 0.1) + score AS grouped, isnan(amount) AS nan
FROM source.sales JOIN source.customers USING (customer_id);
-- name: nocase_collation
SELECT region, count(*) AS n, min(name) AS first_name
FROM source.customers GROUP BY region;
-- name: nocase_filter
SELECT customer_id, name COLLATE NOCASE AS loose
FROM source.customers
WHERE region = 'a' AND name COLLATE NOCASE >= 'A';
-- name: trailing_spaces
SELECT sale_id, trim(region) AS trimmed, upper(region) AS upper_region, length(region) AS n
FROM source.sales WHERE region LIKE 'a%' OR region ILIKE 'B%';
-- name: lateral_alias
SELECT qty * 2 AS double_qty, double_qty + 1 AS more, more % 3 AS rest
FROM source.sales WHERE double_qty > 2;
-- name: alias_shadows_column
SELECT price AS qty, qty AS price, qty + 1 AS next FROM source.sales WHERE qty > 1;
-- name: volatile
SELECT sale_id, random() AS dice, uuid() AS id FROM source.sales WHERE qty > 1;
-- name: clock
SELECT sale_id, sold_at < now() AS past, current_date AS today FROM source.sales;
-- name: coin_filter
SELECT sale_id FROM source.sales WHERE random() < 0.5;
-- name: sampled
SELECT sale_id, qty FROM source.sales USING SAMPLE 5 ROWS;
-- name: whole_row
SELECT s.sale_id, s AS everything FROM source.sales AS s WHERE s.qty > 1;
-- name: whole_row_text
SELECT customers::VARCHAR AS everything, count(*) AS n FROM source.customers GROUP BY customers;
-- name: values_table
SELECT v.code, v.label, s.sale_id
FROM (VALUES (1, 'one'), (2, 'two'), (3, NULL)) AS v (code, label)
LEFT JOIN source.sales AS s ON s.qty = v.code;
-- name: structs
SELECT box_id, info.k, info.v + 1 AS next, {'x': box_id, 'y': info.v} AS made, tags[1] AS head
FROM source.boxes WHERE info.v IS NOT NULL;
-- name: lists
SELECT box_id, list_transform(tags, lambda t: upper(t)) AS loud, len(tags) AS n,
    list_filter(tags, lambda t: t <> 'a') AS rest
FROM source.boxes;
-- name: unnested
SELECT box_id, unnest(tags) AS tag FROM source.boxes WHERE box_id > 0;
-- name: lateral_unnest
SELECT b.box_id, t.tag FROM source.boxes AS b, LATERAL (SELECT unnest(b.tags) AS tag) AS t
WHERE t.tag <> 'b';
-- name: map_access
SELECT box_id, payload['a'] AS a, map_keys(payload) AS names FROM source.boxes;
-- name: dates
SELECT sale_id, sold_on + INTERVAL 1 DAY AS next_day, date_trunc('month', sold_at) AS month,
    extract(year FROM sold_on) AS year, sold_on >= DATE '2000-01-01' AS recent
FROM source.sales WHERE sold_on < DATE '2024-02-29' OR sold_at IS NULL;
-- name: quoted_names
SELECT sale_id AS "Sale Id", region AS "Region", qty AS "select" FROM source.sales WHERE "qty" > 1;
