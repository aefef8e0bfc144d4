/* Where the program starts, and system_call(number, a, b, c, d), by the conventions of each architecture. */

	.text
	.globl _start
	.globl system_call

#if defined(__x86_64__)
_start:
	xorl	%ebp, %ebp
	andq	$-16, %rsp
	call	probe_main
	movl	%eax, %edi
	movl	$60, %eax
	syscall
system_call:
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	movq	%r8, %r10
	syscall
	ret

#elif defined(__aarch64__)
_start:
	mov	x29, xzr
	mov	x30, xzr
	bl	probe_main
	mov	x8, #93
	svc	#0
system_call:
	mov	x8, x0
	mov	x0, x1
	mov	x1, x2
	mov	x2, x3
	mov	x3, x4
	svc	#0
	ret

#elif defined(__riscv)
_start:
	call	probe_main
	li	a7, 93
	ecall
system_call:
	mv	a7, a0
	mv	a0, a1
	mv	a1, a2
	mv	a2, a3
	mv	a3, a4
	ecall
	ret

#elif defined(__s390x__)
_start:
	aghi	%r15, -160
	brasl	%r14, probe_main
	lghi	%r1, 1
	svc	0
system_call:
	lgr	%r1, %r2
	lgr	%r2, %r3
	lgr	%r3, %r4
	lgr	%r4, %r5
	lgr	%r5, %r6
	svc	0
	br	%r14

#elif defined(__powerpc64__)
	/* r12 is the address of _start here, as at the global entry of any function */
_start:
	addis	2, 12, .TOC.-_start@ha
	addi	2, 2, .TOC.-_start@l
	li	0, 0
	stdu	0, -128(1)
	bl	probe_main
	nop
	li	0, 1
	sc
system_call:
	mr	0, 3
	mr	3, 4
	mr	4, 5
	mr	5, 6
	mr	6, 7
	sc
	bnslr
	neg	3, 3
	blr

#elif defined(__loongarch__)
_start:
	bl	probe_main
	ori	$a7, $zero, 93
	syscall	0
system_call:
	move	$a7, $a0
	move	$a0, $a1
	move	$a1, $a2
	move	$a2, $a3
	move	$a3, $a4
	syscall	0
	jr	$ra
#endif

	.section .note.GNU-stack, "", %progbits
