/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hv_errno.h - the numbers that hypercalls return, negated
 *
 * ABI: xen/errno.h. They are numerically Linux's, and spelled exactly as libc's <errno.h> does, so that a host
 * test may include both. ERESTART never reaches a guest: it asks the dispatcher for a continuation.
 */
#ifndef PARAVANE_HV_ERRNO_H
#define PARAVANE_HV_ERRNO_H

#define	EPERM		 1	/* Operation not permitted */
#define	ENOENT		 2	/* No such file or directory */
#define	ESRCH		 3	/* No such process */
#define	EIO		 5	/* I/O error */
#define	ENXIO		 6	/* No such device or address */
#define	E2BIG		 7	/* Argument list too long */
#define	EAGAIN		11	/* Try again */
#define	ENOMEM		12	/* Out of memory */
#define	EACCES		13	/* Permission denied */
#define	EFAULT		14	/* Bad address */
#define	EBUSY		16	/* Device or resource busy */
#define	EEXIST		17	/* File exists */
#define	EXDEV		18	/* Cross-device link */
#define	ENODEV		19	/* No such device */
#define	EINVAL		22	/* Invalid argument */
#define	ENOSPC		28	/* No space left on device */
#define	ERANGE		34	/* Math result not representable */
#define	ENOSYS		38	/* Invalid system call number */
#define	ENODATA		61	/* No data available */
#define	ETIME		62	/* Timer expired */
#define	EOVERFLOW	75	/* Value too large for defined data type */
#define	ERESTART	85	/* Interrupted system call should be restarted */
#define	EOPNOTSUPP	95	/* Operation not supported on transport endpoint */
#define	ENOBUFS		105	/* No buffer space available */

#endif
