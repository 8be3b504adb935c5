-- The tables of TPC-DS, with the columns that its queries use.
CREATE TABLE call_center (cc_call_center_sk INTEGER, cc_call_center_id VARCHAR, cc_name VARCHAR,
    cc_county VARCHAR, cc_manager VARCHAR);
CREATE TABLE catalog_page (cp_catalog_page_sk INTEGER, cp_catalog_page_id VARCHAR);
CREATE TABLE catalog_returns (cr_returned_date_sk INTEGER, cr_item_sk INTEGER,
    cr_returning_customer_sk INTEGER, cr_returning_addr_sk INTEGER, cr_call_center_sk INTEGER,
    cr_catalog_page_sk INTEGER, cr_order_number INTEGER, cr_return_quantity INTEGER,
    cr_return_amount DECIMAL(7, 2), cr_return_amt_inc_tax DECIMAL(7, 2),
    cr_refunded_cash DECIMAL(7, 2), cr_reversed_charge DECIMAL(7, 2),
    cr_store_credit DECIMAL(7, 2), cr_net_loss DECIMAL(7, 2));
CREATE TABLE catalog_sales (cs_sold_date_sk INTEGER, cs_sold_time_sk INTEGER,
    cs_ship_date_sk INTEGER, cs_bill_customer_sk INTEGER, cs_bill_cdemo_sk INTEGER,
    cs_bill_hdemo_sk INTEGER, cs_bill_addr_sk INTEGER, cs_ship_customer_sk INTEGER,
    cs_ship_addr_sk INTEGER, cs_call_center_sk INTEGER, cs_catalog_page_sk INTEGER,
    cs_ship_mode_sk INTEGER, cs_warehouse_sk INTEGER, cs_item_sk INTEGER, cs_promo_sk INTEGER,
    cs_order_number INTEGER, cs_quantity INTEGER, cs_wholesale_cost DECIMAL(7, 2),
    cs_list_price DECIMAL(7, 2), cs_sales_price DECIMAL(7, 2), cs_ext_discount_amt DECIMAL(7, 2),
    cs_ext_sales_price DECIMAL(7, 2), cs_ext_wholesale_cost DECIMAL(7, 2),
    cs_ext_list_price DECIMAL(7, 2), cs_coupon_amt DECIMAL(7, 2), cs_ext_ship_cost DECIMAL(7, 2),
    cs_net_paid DECIMAL(7, 2), cs_net_paid_inc_tax DECIMAL(7, 2), cs_net_profit DECIMAL(7, 2));
CREATE TABLE customer (c_customer_sk INTEGER, c_customer_id VARCHAR, c_current_cdemo_sk INTEGER,
    c_current_hdemo_sk INTEGER, c_current_addr_sk INTEGER, c_first_shipto_date_sk INTEGER,
    c_first_sales_date_sk INTEGER, c_salutation VARCHAR, c_first_name VARCHAR,
    c_last_name VARCHAR, c_preferred_cust_flag VARCHAR, c_birth_day INTEGER,
    c_birth_month INTEGER, c_birth_year INTEGER, c_birth_country VARCHAR, c_login VARCHAR,
    c_email_address VARCHAR, c_last_review_date_sk INTEGER);
CREATE TABLE customer_address (ca_address_sk INTEGER, ca_street_number VARCHAR,
    ca_street_name VARCHAR, ca_street_type VARCHAR, ca_suite_number VARCHAR, ca_city VARCHAR,
    ca_county VARCHAR, ca_state VARCHAR, ca_zip VARCHAR, ca_country VARCHAR,
    ca_gmt_offset DECIMAL(5, 2), ca_location_type VARCHAR);
CREATE TABLE customer_demographics (cd_demo_sk INTEGER, cd_gender VARCHAR,
    cd_marital_status VARCHAR, cd_education_status VARCHAR, cd_purchase_estimate INTEGER,
    cd_credit_rating VARCHAR, cd_dep_count INTEGER, cd_dep_employed_count INTEGER,
    cd_dep_college_count INTEGER);
CREATE TABLE date_dim (d_date_sk INTEGER, d_date DATE, d_month_seq INTEGER, d_week_seq INTEGER,
    d_year INTEGER, d_dow INTEGER, d_moy INTEGER, d_dom INTEGER, d_qoy INTEGER,
    d_day_name VARCHAR, d_quarter_name VARCHAR);
CREATE TABLE household_demographics (hd_demo_sk INTEGER, hd_income_band_sk INTEGER,
    hd_buy_potential VARCHAR, hd_dep_count INTEGER, hd_vehicle_count INTEGER);
CREATE TABLE income_band (ib_income_band_sk INTEGER, ib_lower_bound INTEGER,
    ib_upper_bound INTEGER);
CREATE TABLE inventory (inv_date_sk INTEGER, inv_item_sk INTEGER, inv_warehouse_sk INTEGER,
    inv_quantity_on_hand INTEGER);
CREATE TABLE item (i_item_sk INTEGER, i_item_id VARCHAR, i_item_desc VARCHAR,
    i_current_price DECIMAL(7, 2), i_wholesale_cost DECIMAL(7, 2), i_brand_id INTEGER,
    i_brand VARCHAR, i_class_id INTEGER, i_class VARCHAR, i_category_id INTEGER,
    i_category VARCHAR, i_manufact_id INTEGER, i_manufact VARCHAR, i_size VARCHAR,
    i_color VARCHAR, i_units VARCHAR, i_manager_id INTEGER, i_product_name VARCHAR);
CREATE TABLE promotion (p_promo_sk INTEGER, p_channel_dmail VARCHAR, p_channel_email VARCHAR,
    p_channel_tv VARCHAR, p_channel_event VARCHAR);
CREATE TABLE reason (r_reason_sk INTEGER, r_reason_desc VARCHAR);
CREATE TABLE ship_mode (sm_ship_mode_sk INTEGER, sm_type VARCHAR, sm_carrier VARCHAR);
CREATE TABLE store (s_store_sk INTEGER, s_store_id VARCHAR, s_store_name VARCHAR,
    s_number_employees INTEGER, s_market_id INTEGER, s_company_id INTEGER,
    s_company_name VARCHAR, s_street_number VARCHAR, s_street_name VARCHAR,
    s_street_type VARCHAR, s_suite_number VARCHAR, s_city VARCHAR, s_county VARCHAR,
    s_state VARCHAR, s_zip VARCHAR, s_gmt_offset DECIMAL(5, 2));
CREATE TABLE store_returns (sr_returned_date_sk INTEGER, sr_item_sk INTEGER,
    sr_customer_sk INTEGER, sr_cdemo_sk INTEGER, sr_store_sk INTEGER, sr_reason_sk INTEGER,
    sr_ticket_number INTEGER, sr_return_quantity INTEGER, sr_return_amt DECIMAL(7, 2),
    sr_net_loss DECIMAL(7, 2));
CREATE TABLE store_sales (ss_sold_date_sk INTEGER, ss_sold_time_sk INTEGER, ss_item_sk INTEGER,
    ss_customer_sk INTEGER, ss_cdemo_sk INTEGER, ss_hdemo_sk INTEGER, ss_addr_sk INTEGER,
    ss_store_sk INTEGER, ss_promo_sk INTEGER, ss_ticket_number INTEGER, ss_quantity INTEGER,
    ss_wholesale_cost DECIMAL(7, 2), ss_list_price DECIMAL(7, 2), ss_sales_price DECIMAL(7, 2),
    ss_ext_discount_amt DECIMAL(7, 2), ss_ext_sales_price DECIMAL(7, 2),
    ss_ext_wholesale_cost DECIMAL(7, 2), ss_ext_list_price DECIMAL(7, 2),
    ss_ext_tax DECIMAL(7, 2), ss_coupon_amt DECIMAL(7, 2), ss_net_paid DECIMAL(7, 2),
    ss_net_profit DECIMAL(7, 2));
CREATE TABLE time_dim (t_time_sk INTEGER, t_time INTEGER, t_hour INTEGER, t_minute INTEGER,
    t_meal_time VARCHAR);
CREATE TABLE warehouse (w_warehouse_sk INTEGER, w_warehouse_name VARCHAR,
    w_warehouse_sq_ft INTEGER, w_city VARCHAR, w_county VARCHAR, w_state VARCHAR,
    w_country VARCHAR);
CREATE TABLE web_page (wp_web_page_sk INTEGER, wp_char_count INTEGER);
CREATE TABLE web_returns (wr_returned_date_sk INTEGER, wr_item_sk INTEGER,
    wr_refunded_cdemo_sk INTEGER, wr_refunded_addr_sk INTEGER, wr_returning_customer_sk INTEGER,
    wr_returning_cdemo_sk INTEGER, wr_returning_addr_sk INTEGER, wr_web_page_sk INTEGER,
    wr_reason_sk INTEGER, wr_order_number INTEGER, wr_return_quantity INTEGER,
    wr_return_amt DECIMAL(7, 2), wr_fee DECIMAL(7, 2), wr_refunded_cash DECIMAL(7, 2),
    wr_net_loss DECIMAL(7, 2));
CREATE TABLE web_sales (ws_sold_date_sk INTEGER, ws_sold_time_sk INTEGER, ws_ship_date_sk INTEGER,
    ws_item_sk INTEGER, ws_bill_customer_sk INTEGER, ws_bill_addr_sk INTEGER,
    ws_ship_customer_sk INTEGER,
    ws_ship_hdemo_sk INTEGER, ws_ship_addr_sk INTEGER, ws_web_page_sk INTEGER,
    ws_web_site_sk INTEGER, ws_ship_mode_sk INTEGER, ws_warehouse_sk INTEGER,
    ws_promo_sk INTEGER, ws_order_number INTEGER, ws_quantity INTEGER,
    ws_wholesale_cost DECIMAL(7, 2), ws_list_price DECIMAL(7, 2), ws_sales_price DECIMAL(7, 2),
    ws_ext_discount_amt DECIMAL(7, 2), ws_ext_sales_price DECIMAL(7, 2),
    ws_ext_wholesale_cost DECIMAL(7, 2), ws_ext_list_price DECIMAL(7, 2),
    ws_ext_ship_cost DECIMAL(7, 2), ws_net_paid DECIMAL(7, 2), ws_net_profit DECIMAL(7, 2));
CREATE TABLE web_site (web_site_sk INTEGER, web_site_id VARCHAR, web_name VARCHAR,
    web_company_name VARCHAR);
