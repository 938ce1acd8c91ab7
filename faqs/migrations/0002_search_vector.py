"""PostgreSQL keeps each FAQ's full-text vector: question and keywords weigh most, then phrasings, then the answer."""

from django.db import migrations

CONFIG = """
CREATE FUNCTION faqs_text_config(language text) RETURNS regconfig LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE language WHEN 'en' THEN 'english' WHEN 'es' THEN 'spanish' WHEN 'de' THEN 'german' WHEN 'fr' THEN 'french'
           ELSE 'simple' END::regconfig
$$;
"""

DOCUMENT = """
CREATE FUNCTION faqs_search_vector(faq faqs_faq) RETURNS tsvector LANGUAGE sql STABLE AS $$
    SELECT setweight(to_tsvector(faqs_text_config(faq.language), faq.question), 'A')
        || setweight(jsonb_to_tsvector(faqs_text_config(faq.language), faq.keywords, '["string"]'), 'A')
        || setweight(to_tsvector(faqs_text_config(faq.language),
               coalesce((SELECT string_agg(text, ' ') FROM faqs_phrasing WHERE faq_id = faq.id), '')), 'B')
        || setweight(to_tsvector(faqs_text_config(faq.language), faq.answer), 'C')
$$;
"""

TRIGGERS = """
CREATE FUNCTION faqs_faq_vector() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.search_vector := faqs_search_vector(NEW); RETURN NEW; END
$$;
CREATE TRIGGER faqs_faq_vector BEFORE INSERT OR UPDATE OF question, keywords, answer, language ON faqs_faq
    FOR EACH ROW EXECUTE FUNCTION faqs_faq_vector();

CREATE FUNCTION faqs_phrasing_vector() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE faqs_faq f SET search_vector = faqs_search_vector(f)
    WHERE f.id = CASE WHEN TG_OP = 'DELETE' THEN OLD.faq_id ELSE NEW.faq_id END;
    RETURN NULL;
END
$$;
CREATE TRIGGER faqs_phrasing_vector AFTER INSERT OR UPDATE OR DELETE ON faqs_phrasing
    FOR EACH ROW EXECUTE FUNCTION faqs_phrasing_vector();
"""

BACK = """
DROP TRIGGER faqs_phrasing_vector ON faqs_phrasing;
DROP TRIGGER faqs_faq_vector ON faqs_faq;
DROP FUNCTION faqs_phrasing_vector(), faqs_faq_vector(), faqs_search_vector(faqs_faq), faqs_text_config(text);
"""


class Migration(migrations.Migration):
    dependencies = [("faqs", "0001_initial")]

    operations = [migrations.RunSQL(CONFIG + DOCUMENT + TRIGGERS, BACK)]
