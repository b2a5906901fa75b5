/*-------------------------------------------------------------------------
 *
 * tl_compat.h
 *	  Differences between PostgreSQL 15 and 18, and nowhere else.
 *
 * The only file that may ask for PG_VERSION_NUM.  Included by backend files
 * after postgres.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TL_COMPAT_H
#define TL_COMPAT_H

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "telco_ledger supports PostgreSQL 15 to 18"
#endif

/* 16 renamed relfilenode to relfilelocator and widened update_indexes. */
#if PG_VERSION_NUM < 160000
#define tl_set_new_filelocator	relation_set_new_filenode
#define TlFileLocator			RelFileNode
#define TlUpdateIndexes			bool
#else
#define tl_set_new_filelocator	relation_set_new_filelocator
#define TlFileLocator			RelFileLocator
#define TlUpdateIndexes			TU_UpdateIndexes
#endif

/* 16 moved the id of a backend's database role checks and of BackendId. */
#if PG_VERSION_NUM >= 170000
#define TlBackendId()			MyProcNumber
#else
#define TlBackendId()			MyBackendId
#endif

#endif							/* TL_COMPAT_H */
