/*
 * In place of the compiler's own header, for trees that clang cannot compile yet: they hand its intrinsics a register
 * that is no constant. What they stand for only a kernel may execute, and no answer needs it.
 */
#ifndef _LOONGARCH_BASE_INTRIN_H
#define _LOONGARCH_BASE_INTRIN_H

#define __cpucfg(reg) ((void)(reg), 0)

#define __csrrd_w(reg) ((void)(reg), 0)
#define __csrrd_d(reg) ((void)(reg), 0)
#define __csrwr_w(value, reg) ((void)(value), (void)(reg), 0)
#define __csrwr_d(value, reg) ((void)(value), (void)(reg), 0)
#define __csrxchg_w(value, mask, reg) ((void)(value), (void)(mask), (void)(reg), 0)
#define __csrxchg_d(value, mask, reg) ((void)(value), (void)(mask), (void)(reg), 0)

#define __iocsrrd_w(reg) ((void)(reg), 0)
#define __iocsrrd_d(reg) ((void)(reg), 0)
#define __iocsrwr_w(value, reg) ((void)(value), (void)(reg))
#define __iocsrwr_d(value, reg) ((void)(value), (void)(reg))

#endif
