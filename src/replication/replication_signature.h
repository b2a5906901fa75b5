/*-------------------------------------------------------------------------
 *
 * replication_signature.h
 *	  Signatures of rows, each checked once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef REPLICATION_SIGNATURE_H
#define REPLICATION_SIGNATURE_H

#include "crypto_curve.h"
#include "tl_types.h"

extern bool tl_replication_signature_check(void *context,
										   const uint8_t signature[TL_SIGNATURE_SIZE],
										   const TlHash *digest,
										   const uint8_t row_key[TL_XONLY_KEY_SIZE]);

#endif							/* REPLICATION_SIGNATURE_H */
