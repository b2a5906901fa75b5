/*
 * test_schema.c
 *	  The table of items keeps its order and its places.
 */
#include "check.h"
#include "tap3_record.h"
#include "tap3_schema.h"

int
main(void)
{
	unsigned	count;
	const Tap3Rule *rules = tap3_schema_rules(&count);

	CHECK(count > 300);
	for (unsigned i = 0; i < count; i++)
	{
		const Tap3Rule *rule = &rules[i];
		bool		of_event = rule->field < TAP3_FIELD_HEADER;

		CHECK(i == 0 || rules[i - 1].parent < rule->parent ||
			  (rules[i - 1].parent == rule->parent && rules[i - 1].child < rule->child));
		CHECK(tap3_schema_find(rule->parent, rule->child) == rule);
		CHECK(tap3_schema_name(rule->parent) != NULL && tap3_schema_name(rule->child) != NULL);
		if (rule->kind == TAP3_KIND_GROUP)
			continue;
		CHECK(rule->field != TAP3_FIELD_NONE && rule->field < TAP3_FIELD_COUNT);
		CHECK(rule->place + rule->capacity <= (of_event ? sizeof(Tap3Event) : sizeof(Tap3Header)));
		if (rule->kind == TAP3_KIND_INT32)
			CHECK(rule->capacity == 4);
		if (rule->kind == TAP3_KIND_INT64)
			CHECK(rule->capacity == 8);
		/* the reader's text buffer holds any place */
		CHECK(rule->capacity <= TAP3_TEXT_MAX + 1);
	}
	CHECK(TAP3_FIELD_EVENT_END <= 64 && TAP3_FIELD_COUNT <= 128);
	CHECK(tap3_schema_find(1, 452) == NULL && tap3_schema_find(0, 0) == NULL);
	CHECK(tap3_schema_name(9999) == NULL);
	CHECK(strcmp(tap3_schema_name(196), "Sender") == 0);
	return finish("test_schema");
}
