/** Whether the sign-in dialog is open. It lives in the frame of the app, so that signing in does not take it away. */
import { create } from 'zustand';

interface SignInState {
  readonly isOpen: boolean;
}

export const useSignIn = create<SignInState>(() => ({ isOpen: false }));

export function openSignIn(): void {
  useSignIn.setState({ isOpen: true });
}

export function closeSignIn(): void {
  useSignIn.setState({ isOpen: false });
}
