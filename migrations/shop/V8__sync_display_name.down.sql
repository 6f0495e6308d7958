DROP TRIGGER customers_display_name ON customers;

DROP FUNCTION sync_display_name();
