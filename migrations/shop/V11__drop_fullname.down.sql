-- The values come back, because the new column has them; the old column stands last now, as no column can be put
-- back into its place. So the way back is honest about the data and not exact about the order of the columns.
ALTER TABLE customers ADD COLUMN fullname text;

UPDATE customers SET fullname = display_name;

ALTER TABLE customers ALTER COLUMN fullname SET NOT NULL;

CREATE FUNCTION sync_display_name() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.display_name := coalesce(NEW.display_name, NEW.fullname);
        NEW.fullname := coalesce(NEW.fullname, NEW.display_name);
    ELSIF NEW.display_name IS DISTINCT FROM OLD.display_name THEN
        NEW.fullname := NEW.display_name;
    ELSE
        NEW.display_name := NEW.fullname;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER customers_display_name
BEFORE INSERT OR UPDATE ON customers
FOR EACH ROW EXECUTE FUNCTION sync_display_name();
