/*
 * sort.c: bottom-up merge sort.
 */
#include "floe.h"

#include "base/sort.h"

#include <string.h>

void
floe_sort(void *items, void *scratch, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	char *from = items;
	char *to = scratch;

	for (size_t width = 1; width < count; width *= 2)
	{
		char *swap;

		for (size_t start = 0; start < count; start += 2 * width)
		{
			char *left = from + start * size;
			char *middle = from + Min(start + width, count) * size;
			char *end = from + Min(start + 2 * width, count) * size;
			char *right = middle;
			char *out = to + start * size;

			while (left < middle && right < end)
			{
				char **next = compare(left, right) <= 0 ? &left : &right;

				memcpy(out, *next, size);
				*next += size;
				out += size;
			}
			memcpy(out, left, (size_t) (middle - left));
			memcpy(out + (middle - left), right, (size_t) (end - right));
		}
		swap = from;
		from = to;
		to = swap;
	}
	if (from != items && count > 0)
		memcpy(items, from, count * size);
}
