/*-------------------------------------------------------------------------
 *
 * test_table_json.c
 *	  Depth, items and exponents of JSON texts, also of such as are none.
 *
 *-------------------------------------------------------------------------
 */
#include "table_json.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

static void
expect(const char *json, uint32_t depth, uint32_t item_count, bool has_exponent)
{
	size_t		size = strlen(json);
	uint8_t    *copy = malloc(size + 1);	/* so that reading beyond it is seen */
	TlSpan		text = {copy, size};
	TlJsonMeasure measure;

	memcpy(copy, json, size);
	copy = realloc(copy, size > 0 ? size : 1);
	text.data = copy;
	tl_table_json_measure(&measure, text);
	UNIT_CHECK(measure.depth == depth);
	UNIT_CHECK(measure.item_count == item_count);
	UNIT_CHECK(measure.has_exponent == has_exponent);
	free(copy);
}

static void
what_counts(void)
{
	expect("", 0, 0, false);
	expect("true", 0, 0, false);
	expect("[]", 1, 1, false);
	expect("[1, 2, 3]", 1, 3, false);
	expect("[[], {\"a\": [{}]}]", 4, 6, false);
	expect("[[][][]]", 2, 4, false);
	expect("[true, false, null]", 1, 3, false);
	expect("1e5", 0, 0, true);
	expect("[1.5E-3]", 1, 1, true);
}

/* An escaped quote does not end it. */
static void
nothing_counts_in_a_string(void)
{
	expect("\"[{,1e5\"", 0, 0, false);
	expect("[\"\\\"[[\", \"\\\\\", []]", 2, 4, false);
}

static void
what_is_no_json(void)
{
	expect("]]]][", 1, 1, false);
	expect("[\"", 1, 1, false);
	expect("[\"\\", 1, 1, false);
	expect("e5", 0, 0, false);
}

UNIT_MAIN(UNIT_CASE(what_counts),
		  UNIT_CASE(nothing_counts_in_a_string),
		  UNIT_CASE(what_is_no_json))
