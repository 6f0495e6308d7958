-- The total of an order is always the sum of its lines, whoever writes them.
CREATE FUNCTION refresh_order_total() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    touched bigint := CASE WHEN TG_OP = 'DELETE' THEN OLD.order_id ELSE NEW.order_id END;
BEGIN
    UPDATE orders
    SET total_cents = (
        SELECT coalesce(sum(quantity * price_cents), 0) FROM order_lines WHERE order_id = touched
    )
    WHERE id = touched;
    RETURN NULL;
END
$$;

CREATE TRIGGER order_lines_total
AFTER INSERT OR UPDATE OR DELETE ON order_lines
FOR EACH ROW EXECUTE FUNCTION refresh_order_total();
