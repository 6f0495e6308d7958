-- switchback: transaction off
-- Built beside the running work: orders are written all day.
CREATE INDEX CONCURRENTLY orders_customer_id_idx ON orders (customer_id, placed_at DESC);
