/*-------------------------------------------------------------------------
 *
 * node_image.h
 *	  Old images of rows of state tables, kept for a while.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_IMAGE_H
#define NODE_IMAGE_H

extern void tl_node_image_init(void);
extern void tl_node_image_settle(void);
extern void tl_node_image_begin_anew(int64_t height);

/* The worker, between its transactions; for how many ms there is nothing to do, -1: for ever. */
extern long tl_node_image_tend(void);
extern void tl_node_image_wake(void);

#endif							/* NODE_IMAGE_H */
