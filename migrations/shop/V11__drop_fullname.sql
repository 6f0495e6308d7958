-- switchback: phase contract
-- The last step: once the services are rolled out, nobody reads or writes the old column any more.
DROP TRIGGER customers_display_name ON customers;

DROP FUNCTION sync_display_name();

ALTER TABLE customers DROP COLUMN fullname;
