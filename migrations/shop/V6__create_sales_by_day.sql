-- What the office looks at each morning.
CREATE VIEW sales_by_day AS
SELECT
    (placed_at AT TIME ZONE 'UTC')::date AS day,
    count(*) AS orders,
    sum(total_cents) AS total_cents
FROM orders
WHERE state IN ('paid', 'shipped', 'delivered')
GROUP BY 1;
