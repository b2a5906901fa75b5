/*-------------------------------------------------------------------------
 *
 * crypto_set_sql.h
 *	  The hasher of set hashes that a process of the server keeps.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRYPTO_SET_SQL_H
#define CRYPTO_SET_SQL_H

#include "crypto_set_hash.h"

extern TlSetHasher *tl_crypto_set_hasher(void);

#endif							/* CRYPTO_SET_SQL_H */
