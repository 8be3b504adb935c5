-- The tables of our own queries: names that meet in natural joins, types that are hard to compare.
CREATE TABLE sales (sale_id INTEGER, customer_id INTEGER, sku VARCHAR, region VARCHAR,
    amount DOUBLE, qty INTEGER, price DECIMAL(10, 2), sold_at TIMESTAMP, sold_on DATE,
    flag BOOLEAN);
CREATE TABLE customers (customer_id INTEGER, name VARCHAR, region VARCHAR COLLATE NOCASE,
    score DOUBLE, joined_on DATE);
CREATE TABLE items (sku VARCHAR, title VARCHAR, weight DOUBLE, price DECIMAL(10, 2), kind INTEGER);
CREATE TABLE rates (sku VARCHAR, valid_from DATE, rate DOUBLE);
CREATE TABLE edges (src INTEGER, dst INTEGER);
CREATE TABLE boxes (box_id INTEGER, tags VARCHAR[], info STRUCT(k VARCHAR, v INTEGER),
    payload MAP(VARCHAR, INTEGER));
CREATE TABLE nothing (sale_id INTEGER, amount DOUBLE, region VARCHAR);
