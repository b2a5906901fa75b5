/*-------------------------------------------------------------------------
 *
 * table_json.c
 *	  How deep and how large a JSON text is, before anybody parses it.
 *
 * A parser that calls itself needs stack for each level, and how much of it there
 * is differs by server.  So the text of another member's row is measured first.
 * It need not be JSON: as far as it is, the figures are right, and no parser goes
 * further than that.
 *
 *-------------------------------------------------------------------------
 */
#include "table_json.h"

#include <string.h>

static size_t skip_string(TlSpan text, size_t start);

void
tl_table_json_measure(TlJsonMeasure *out, TlSpan text)
{
	uint32_t	depth = 0;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < text.size; i++)
	{
		switch (text.data[i])
		{
			case '"':
				i = skip_string(text, i + 1);
				break;
			case '[':
			case '{':
				depth++;
				out->item_count++;
				if (out->depth < depth)
					out->depth = depth;
				break;
			case ']':
			case '}':
				depth -= (depth > 0);
				break;
			case ',':
				out->item_count++;
				break;
			case 'e':
			case 'E':
				out->has_exponent |= (i > 0 && text.data[i - 1] >= '0' &&
									  text.data[i - 1] <= '9');
				break;
		}
	}
}

/* Where its closing quote is. */
static size_t
skip_string(TlSpan text, size_t start)
{
	size_t		i = start;

	while (i < text.size && text.data[i] != '"')
		i += text.data[i] == '\\' ? 2 : 1;
	return i;
}
